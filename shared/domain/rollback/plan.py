"""A frozen list of steps, and which of them may be begun."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shared.core.codec import FrozenStruct, StoredDocument, encode
from shared.domain.policy.scenario_names import ScenarioName

OVERLONG_PLAN_PREFIX = "it cannot fit"
"""How the line begins that reports a plan longer than its target, even with the whole quota."""


class StepStatus(StrEnum):
    """How far a step has come. The last five are ends."""

    PENDING = "PENDING"
    BEGUN = "BEGUN"
    DONE = "DONE"
    STOPPED = "STOPPED"
    """A person is there: their change was left as it is."""
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    """Never begun: the rollback ended before, or may not or cannot bring it about."""
    UNNEEDED = "UNNEEDED"
    """Never begun, because what it stands in for did not fail."""


ENDED_STEP_STATUSES = frozenset(
    {StepStatus.DONE, StepStatus.STOPPED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.UNNEEDED}
)


class Step(StoredDocument):
    """One goal, "be X, from Y": named, safe to run again."""

    name: str
    kind: str
    """Which kind of change it is; each has one module in shared/engine/steps."""
    target: str
    number: int = 0
    """Its place in the plan; predecessors have lower ones."""
    goal: dict[str, Any] = {}
    origin: dict[str, Any] = {}
    """What the plan found: the state to come from, and to go back to."""
    kept: dict[str, Any] = {}
    """What of that is kept for an undo, where the origin does not suffice for one."""
    after: tuple[str, ...] = ()
    """Steps that must be DONE before."""
    instead_of: str = ""
    """It begins only once that step has FAILED; of several stand-ins, the last tells the end."""
    despite_stopped: bool = False
    """A predecessor that a person stopped does not hold this one up."""
    despite_failed: bool = False
    """Nor does one that could not be brought to its goal: one failing function stops no other."""
    writes: int = 0
    """What it costs of the write quota."""
    within_seconds: float = 300.0
    """Counted from its intent; then it has failed."""
    halts: bool = False
    """Its failure ends the whole plan: nothing more is begun."""
    seen: str = ""
    """The precondition of its effect, saved with the intent."""
    deadline: datetime | None = None
    """Until when an effect that no precondition stops may still land; None: it has one."""
    status: StepStatus = StepStatus.PENDING
    operation: str = ""
    attempts: int = 0
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    note: str = ""
    expires_at: datetime | None = None

    @property
    def may_be_in_flight(self) -> bool:
        """Whether, once its intent has landed, an effect of it may be on its way."""
        return self.status is StepStatus.BEGUN and (self.writes > 0 or self.deadline is not None)


def build_step(
    name: str,
    kind: str,
    target: str,
    goal: Struct,
    within: timedelta,
    origin: Struct | None = None,
    **more: Any,
) -> Step:
    """Return the step that leads a target to its goal, by one write unless `more` differs."""
    more = {"writes": 1, "origin": encode(origin) if origin is not None else {}, **more}
    return Step(name, kind, target, goal=encode(goal), within_seconds=within.total_seconds(), **more)


class PlanHeader(FrozenStruct):
    """What a rollback keeps of its plan; the steps are documents of their own."""

    scenario: ScenarioName
    target: str
    """The deployment that it goes back to."""
    steps: int
    fingerprint: str
    policy: str
    """Fingerprint of the policy that it was made under."""
    reported: tuple[str, ...] = ()
    """What it leaves alone and says so, one line each."""
    asks: tuple[str, ...] = ()
    """Steps that are none of its own: only a person's word to a further plan brings them about."""
    extensions: int = 0
    """How often steps were added to it while it was carried out."""
    changed: tuple[str, ...] = ()
    """What its steps change, each once: functions and other things; not what they only check."""


class Plan(FrozenStruct):
    """Everything that a rollback will do, decided before it does any of it."""

    header: PlanHeader
    steps: tuple[Step, ...]


def freeze_plan(
    scenario: ScenarioName, target: str, steps: Iterable[Step], policy: str, reported: Iterable[str] = ()
) -> Plan:
    """The plan over these steps, with the fingerprint by which it is approved and recognised."""
    ordered = tuple(replace(step, number=number) for number, step in enumerate(steps))
    # What was seen, and what is kept of it, is no part of what is done.
    goals = [replace(step, seen="", kept={}) for step in ordered]
    header = PlanHeader(
        scenario=scenario,
        target=target,
        steps=len(ordered),
        fingerprint=hashlib.sha256(msgspec.json.encode(goals, order="deterministic")).hexdigest(),
        policy=policy,
        reported=tuple(reported),
        changed=tuple(dict.fromkeys(step.target for step in ordered if not step.halts)),
    )
    return Plan(header, ordered)


def add_report_line(plan: Plan, line: str) -> Plan:
    """The plan with one line more that is said of it."""
    return Plan(replace(plan.header, reported=(line, *plan.header.reported)), plan.steps)


def is_duration_reported(plan: PlanHeader) -> bool:
    """Return whether the plan reports its time itself: it moves documents, or cannot fit."""
    too_long = (line.startswith(OVERLONG_PLAN_PREFIX) for line in plan.reported)
    return plan.scenario is ScenarioName.DATABASE or any(too_long)


def extend_plan(header: PlanHeader, addition: Plan) -> Plan:
    """Return the longer plan's header and its new steps, named and numbered after the old ones."""
    extensions = header.extensions + 1
    names = {step.name: f"{step.name} +{extensions}" for step in addition.steps}
    steps = tuple(
        replace(
            step,
            name=names[step.name],
            number=header.steps + step.number,
            after=tuple(names[name] for name in step.after),
            instead_of=names.get(step.instead_of, ""),
        )
        for step in addition.steps
    )
    longer = replace(
        header,
        steps=header.steps + len(steps),
        fingerprint=hashlib.sha256((header.fingerprint + addition.header.fingerprint).encode()).hexdigest(),
        reported=tuple(dict.fromkeys((*header.reported, *addition.header.reported))),
        extensions=extensions,
        changed=tuple(dict.fromkeys((*header.changed, *addition.header.changed))),
    )
    return Plan(longer, steps)


def ready_steps(steps: Mapping[str, Step]) -> list[Step]:
    """The pending steps whose predecessors allow it, in the plan's order."""
    pending = [step for step in steps.values() if step.status is StepStatus.PENDING]
    if not pending:
        return []
    speaking = _deciding_steps(steps)
    return [
        step
        for step in pending
        if (not step.instead_of or steps[step.instead_of].status is StepStatus.FAILED)
        and all(_is_satisfied(speaking[name], step) for name in step.after)
    ]


def unneeded_steps(steps: Mapping[str, Step]) -> list[Step]:
    """The pending steps that stand in for one which has ended, and has not failed."""
    return [
        step
        for step in steps.values()
        if step.status is StepStatus.PENDING
        and step.instead_of
        and steps[step.instead_of].status in ENDED_STEP_STATUSES - {StepStatus.FAILED}
    ]


def blocked_steps(steps: Mapping[str, Step]) -> list[Step]:
    """The pending steps that can never begin, because one before them ended badly."""
    speaking = _deciding_steps(steps)
    bad = set()
    for step in steps.values():  # the plan's order: predecessors come first
        before = [speaking[name] for name in step.after]
        if step.status is StepStatus.PENDING and any(
            (one.name in bad and not step.despite_failed)
            or (one.status in ENDED_STEP_STATUSES and not _is_satisfied(one, step))
            for one in before
        ):
            bad.add(step.name)
    return [steps[name] for name in steps if name in bad]


def unreached_steps(steps: Mapping[str, Step]) -> list[Step]:
    """Return the steps whose goals neither they nor their stand-ins reached."""
    speaking = _deciding_steps(steps)
    return [
        step
        for step in steps.values()
        if (not step.instead_of or steps[step.instead_of].status is StepStatus.FAILED)
        and speaking[step.name].status is not StepStatus.DONE
    ]


def _deciding_steps(steps: Mapping[str, Step]) -> Mapping[str, Step]:
    """Return the step that tells each step's end: itself, or a failed one's last stand-in."""
    failed = {name for name, step in steps.items() if step.status is StepStatus.FAILED}
    if not failed:
        return steps
    stand_ins = (step for step in steps.values() if step.instead_of in failed)
    return {**steps, **{step.instead_of: step for step in stand_ins}}


def _is_satisfied(before: Step, step: Step) -> bool:
    match before.status:
        case StepStatus.DONE:
            return True
        case StepStatus.STOPPED:
            return step.despite_stopped
        case StepStatus.FAILED | StepStatus.SKIPPED:
            return step.despite_failed
    return False


def count_progress(steps: Iterable[Step]) -> tuple[int, int]:
    """How many steps have ended, of how many; a stand-in counts once it is called for."""
    called = [step for step in steps if not step.instead_of or step.begun_at is not None]
    return sum(step.status in ENDED_STEP_STATUSES for step in called), len(called)


def step_path(rollback: str, step: str) -> str:
    """Where a step is kept."""
    return f"rollbacks/{rollback}/steps/{step}"
