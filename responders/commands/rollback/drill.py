"""drill: plan a scenario and rehearse it: validate each step, or look where it would begin."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.commands.rollback.rollback import build_rollback_order, require_target
from responders.rollback.decision.fact_collection import collect_facts
from responders.rollback.decision.plan import prepare_plan, unread_parts
from responders.rollback.decision.rollback_decision import read_resource_state
from responders.scenarios.products.registry import PLANNERS
from responders.scenarios.resource_plan import ResourceState
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.parallel_calls import call_all
from responders.support.resumable_command import completed_record
from shared.core import text
from shared.core.codec import encode
from shared.core.errors import Moved, Refused, Rejected, RollbackError, Unavailable
from shared.core.runtime import Clock
from shared.core.store import Create, Document, Put, Write
from shared.domain.audit.system_chain import system_event
from shared.domain.commands.command import CommandRecord
from shared.domain.decision import forecast
from shared.domain.decision.facts import ChangeSet, DecisionFacts
from shared.domain.decision.gate_evaluation import Decision, evaluate_request
from shared.domain.decision.gates.base import Outcome
from shared.domain.decision.request_scope import requested_change, requested_functions
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.drill import Drill, DrillStepCount, drill_path
from shared.domain.rollback.plan import Plan, Step
from shared.domain.rollback.rollback import RollbackRequest
from shared.domain.rollback.write_quota import SavedPace, quota_path, resume_pace
from shared.engine.steps.base import DrillCheck, StepKind, StepVerdict, step_context
from shared.engine.steps.functions import shift_traffic
from shared.engine.steps.registry import STEPS, class_of
from shared.engine.steps.resource_differences import is_resource
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.reader import StateReader

FAILED_STEP_VERDICTS = frozenset({StepVerdict.ELSEWHERE, StepVerdict.IMPOSSIBLE})
"""What a look finds of a step that would not lead to its goal."""


def drill(asked: CommandRequest) -> CommandEffect:
    """Have a worker rehearse it. Raises: Refused, during an incident or without a known target."""
    require_target(asked.ports.store, asked.policy.system, asked.command.target)
    system = StateReader(asked.ports.store).system(asked.policy.system)
    if system.open_incident:
        raise Refused(f"no drill runs during {system.open_incident}")
    return CommandEffect(
        "drill requested",
        rehearses=build_rollback_order(asked.command, asked.policy, asked.said_at),
        drills=True,
    )


def run_drill(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, order: RollbackRequest
) -> None:
    """Rehearse, record and tell; recorded once, whoever else does so too. Raises: Unavailable."""
    now = document.read_at
    done, pace = _rehearse(ports, policy, record, order, now)
    result = f"drill {'passed' if done.agrees else 'FAILED'}: {done.outcome}, {done.reason}"
    known = completed_record(record, now, result)
    lines = (f"Drill by {record.actor} in {record.system}: {result}", *_format_result_lines(done))
    key = f"drill-{record.id}"
    said = create_notices(policy, key, Severity.LOW, "drilled", "\n".join(lines), now, drill=done.id)
    facts = {name: value for name, value in encode(done).items() if name not in ("actor", "at")}
    facts["command"] = record.id
    writes: list[Write] = [
        document.build_update(known),
        Create(drill_path(done.id), encode(done)),
        Put(quota_path(policy.system), encode(pace)),
        system_event(record.system, f"drilled:{record.id}", "drill.recorded", now, "worker", **facts),
    ]
    with suppress(Moved):  # somebody else has recorded it
        work_queue.commit_with_notices(ports, writes, said)


def _rehearse(
    ports: Ports, policy: Policy, record: CommandRecord, order: RollbackRequest, now: datetime
) -> tuple[Drill, SavedPace]:
    """What the rehearsal finds, and what it leaves of the write quota."""
    began = ports.clock.monotonic()
    facts = collect_facts(ports, policy, now, list, "", order.target).facts
    change = _assume_everything_changed(order, facts, policy)
    decision = evaluate_request(facts, policy, change, now, now, "", scenario=order.scenario)
    sight = read_resource_state(ports, policy, decision, order)
    decision, plans = _build_plans(policy, facts, decision, sight and _assume_resources_changed(sight), order)
    steps = [step for plan in plans for step in plan.steps if not step.instead_of]
    quota = policy.execution.write_quota.system_share
    bucket = resume_pace(facts.pace, quota, now, began).bucket
    validated = _steps_to_validate(steps)
    spare = max(0, int(bucket.level(began) - quota.burst / 2))
    chosen = [step for step in validated[:spare] if bucket.take(1, began)]
    looks = [step for step in steps if class_of(step).drill is DrillCheck.LOOK]
    tried = {_step_label(step): step for step in (*chosen, *looks)}
    missing = unread_parts(order.scenario, sight) if sight is not None else ()
    answers = _try_steps(ports, policy.system, tried)
    answers |= {part: Unavailable("it gave no answer") for part in missing}
    refused = {name: str(one) for name, one in answers.items() if isinstance(one, RollbackError)}
    took = {name: one for name, one in answers.items() if not isinstance(one, RollbackError)}
    found = Drill(
        id=record.id,
        system=policy.system,
        scenario=decision.scenario,
        actor=record.actor,
        at=now,
        target=decision.target,
        plan=plans[0].header.fingerprint if plans else "",
        outcome=decision.outcome,
        reason=decision.reason,
        agrees=decision.outcome in (Outcome.ROLLBACK, Outcome.ASK) and bool(answers) and not refused,
        rehearsed={name: one for name, one in took.items() if _is_validated(tried[name])},
        looked_at={name: one for name, one in took.items() if not _is_validated(tried[name])},
        refused=refused,
        not_rehearsed=tuple(_step_label(one) for one in validated if one not in chosen),
        kinds=_count_results_by_kind(tried, refused),
        reported=tuple(dict.fromkeys(line for plan in plans for line in plan.header.reported)),
        gates=[encode(answer) for answer in decision.answers],
        took_seconds=ports.clock.monotonic() - began,
        forecast_seconds=forecast.forecast_duration(
            plans[0].steps if plans else (), policy, left=facts.pace, now=now
        ).seconds,
    )
    return found, SavedPace(bucket.level(ports.clock.monotonic()), now)


def _assume_everything_changed(order: RollbackRequest, facts: DecisionFacts, policy: Policy) -> ChangeSet:
    """Return the order's changes as if all had changed; unchanged functions shift in place."""
    known = requested_change(order, facts, policy)
    if known.target is None:
        return known
    there = requested_functions(order, policy) & set(facts.inventory or {}) & set(known.target.functions)
    return replace(known, functions={**dict.fromkeys(sorted(there), known.target.at), **known.functions})


def _assume_resources_changed(sight: ResourceState) -> ResourceState:
    """Return the sight in which each product differs as far as its steps can be validated."""
    for planner in PLANNERS.values():
        sight = planner.as_if_changed(sight)
    return sight


def _build_plans(
    policy: Policy,
    facts: DecisionFacts,
    decision: Decision,
    sight: ResourceState | None,
    order: RollbackRequest,
) -> tuple[Decision, list[Plan]]:
    """The plan, and the further one that would ask about what needs a person's word."""
    decision, plan = prepare_plan(policy, facts, decision, sight, order)
    if plan is None or not plan.header.asks:
        return decision, [plan] if plan is not None else []
    _, further = prepare_plan(policy, facts, decision, sight, replace(order, rest=True))
    return decision, [plan, *([further] if further is not None else [])]


def _steps_to_validate(steps: Iterable[Step]) -> list[Step]:
    asked = [
        replace(step, goal={**step.goal, "rehearsed": True}) if step.kind == shift_traffic.KIND else step
        for step in steps
        if _is_validated(step)
    ]
    return sorted(asked, key=lambda step: -step.writes)


def _is_validated(step: Step) -> bool:
    return class_of(step).drill is DrillCheck.VALIDATE


def _step_label(step: Step) -> str:
    return step.name if is_resource(step) else step.target


def _try_steps(ports: Ports, system: str, steps: Mapping[str, Step]) -> dict[str, Any]:
    """Of each step the seconds that it took to try it, or why it is refused."""
    context = step_context(ports, system)
    tries = {
        name: partial(_try_step, STEPS[step.kind](context), ports.clock, step) for name, step in steps.items()
    }
    return call_all(ports, tries)


def _try_step(kind: StepKind, clock: Clock, step: Step) -> float:
    """Return the seconds that the dry run, or a look, took. Raises: as its kind; Rejected."""
    began = clock.monotonic()
    if _is_validated(step):
        kind.rehearse(step)
    elif (found := kind.look(step)).verdict in FAILED_STEP_VERDICTS:
        raise Rejected(found.note)
    return clock.monotonic() - began


def _count_results_by_kind(tried: Mapping[str, Step], refused: Iterable[str]) -> dict[str, DrillStepCount]:
    no = {*refused}
    found = {}
    for kind in sorted({step.kind for step in tried.values()}):
        is_validated = STEPS[kind].drill is DrillCheck.VALIDATE
        names = {name for name, step in tried.items() if step.kind == kind}
        taken = len(names - no)
        validated, looked_at = (taken, 0) if is_validated else (0, taken)
        found[kind] = DrillStepCount(validated, looked_at, len(names & no))
    return found


def _format_result_lines(done: Drill) -> Iterable[str]:
    yield (
        f"target {done.target or 'not known'}: the drill took {done.took_seconds:.0f} s; "
        f"a rollback takes about {done.forecast_seconds:.0f} s"
    )
    for kind, count in done.kinds.items():
        yield f"{kind.replace('_', ' ')}: {count}"
    for name, why in sorted(done.refused.items())[:10]:
        yield f"{name}: {why}"
    if done.not_rehearsed:
        yield f"not tried, for lack of write quota: {text.count_noun(len(done.not_rehearsed), 'step')}"
    yield from text.first_lines(done.reported)
