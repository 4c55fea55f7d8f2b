"""A frozen list of steps, and which of them may be begun."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shared.documents import SCHEMA
from shared.policy import ScenarioName


class StepStatus(StrEnum):
    """How far a step has come. The last four are ends."""

    PENDING = "PENDING"
    BEGUN = "BEGUN"
    DONE = "DONE"
    STOPPED = "STOPPED"
    """A person is there: their change was left as it is."""
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    """Never begun, because the rollback ended before."""


ENDED = frozenset({StepStatus.DONE, StepStatus.STOPPED, StepStatus.FAILED, StepStatus.SKIPPED})


class Step(Struct, frozen=True):
    """One goal, "be X, from Y": named, safe to run again."""

    name: str
    kind: str
    """Which kind of change it is; each has one module in shared/steps."""
    target: str
    number: int = 0
    """Its place in the plan; predecessors have lower ones."""
    goal: dict[str, Any] = {}
    origin: dict[str, Any] = {}
    """What the plan found: the state to come from, and to go back to."""
    after: tuple[str, ...] = ()
    """Steps that must be DONE before."""
    despite_stopped: bool = False
    """A predecessor that a person stopped does not hold this one up."""
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
    """Effects sent."""
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    note: str = ""
    expires_at: datetime | None = None
    schema: int = SCHEMA


class PlanHeader(Struct, frozen=True):
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
    extensions: int = 0
    """How often steps were added to it while it was carried out."""


class Plan(Struct, frozen=True):
    """Everything that a rollback will do, decided before it does any of it."""

    header: PlanHeader
    steps: tuple[Step, ...]


def frozen(
    scenario: ScenarioName,
    target: str,
    steps: Iterable[Step],
    policy: str,
    reported: Iterable[str] = (),
) -> Plan:
    """The plan over these steps, with the fingerprint by which it is approved and recognised."""
    ordered = tuple(replace(step, number=number) for number, step in enumerate(steps))
    goals = [replace(step, seen="") for step in ordered]  # what was seen is no part of what is done
    content = msgspec.json.encode(goals, order="deterministic")
    header = PlanHeader(
        scenario=scenario,
        target=target,
        steps=len(ordered),
        fingerprint=hashlib.sha256(content).hexdigest(),
        policy=policy,
        reported=tuple(reported),
    )
    return Plan(header, ordered)


def extended(header: PlanHeader, addition: Plan) -> Plan:
    """The header of the longer plan, and the steps that are new to it.

    Their names and numbers are none of the steps before; the fingerprint is over both plans'.
    """
    extensions = header.extensions + 1
    names = {step.name: f"{step.name} +{extensions}" for step in addition.steps}
    steps = tuple(
        replace(
            step,
            name=names[step.name],
            number=header.steps + step.number,
            after=tuple(names[name] for name in step.after),
        )
        for step in addition.steps
    )
    chained = header.fingerprint + addition.header.fingerprint
    longer = replace(
        header,
        steps=header.steps + len(steps),
        fingerprint=hashlib.sha256(chained.encode()).hexdigest(),
        reported=(*header.reported, *addition.header.reported),
        extensions=extensions,
    )
    return Plan(longer, steps)


def ready(steps: Mapping[str, Step]) -> list[Step]:
    """The pending steps whose predecessors allow it, in the plan's order."""
    return [
        step
        for step in steps.values()
        if step.status is StepStatus.PENDING
        and all(_allows(steps[name], step) for name in step.after)
    ]


def blocked(steps: Mapping[str, Step]) -> list[Step]:
    """The pending steps that can never begin, because one before them ended badly."""
    bad: set[str] = set()
    for step in steps.values():  # the plan's order: predecessors come first
        if step.status is StepStatus.PENDING and any(
            name in bad or (steps[name].status in ENDED and not _allows(steps[name], step))
            for name in step.after
        ):
            bad.add(step.name)
    return [steps[name] for name in steps if name in bad]


def _allows(before: Step, step: Step) -> bool:
    return before.status is StepStatus.DONE or (
        before.status is StepStatus.STOPPED and step.despite_stopped
    )


def path(rollback: str, step: str) -> str:
    """Where a step is kept."""
    return f"rollbacks/{rollback}/steps/{step}"
