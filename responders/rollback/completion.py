"""The ends of a rollback: each lists what is where, and loses no alert that joined meanwhile."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from msgspec.structs import replace

from responders.data.repair.erasure_after_repair import build_outstanding_erasure
from responders.rollback import derived_data, outcome_summary
from responders.rollback.case import Case, Transition, unjudged_alerts
from responders.rollback.data_half import DataHalf, find_data_half
from responders.rollback.pins import build_pin_writes
from responders.support.undoable_changes import has_undoable_changes
from shared.core.store import Write
from shared.domain.data.repair import repair_plan as repair
from shared.domain.incidents.incident import DECIDED_BY_PERSON_STATUSES, IncidentStatus
from shared.domain.incidents.next_actions import closing_verbs
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step, StepStatus, unreached_steps
from shared.domain.rollback.rollback import Direction, RollbackRequest, RollbackStatus
from shared.domain.signals.alert import Alert
from shared.domain.system_record import System
from shared.engine.engine import load_steps
from shared.engine.steps.documents import restore
from shared.state.available_commands import exclude_obstructed
from shared.state.reader import StateReader


def fail_rollback(case: Case, why: str, moved: Collection[str] = ()) -> bool:
    """End it as FAILED: a person retries or accepts. Whether the worker must go on with it.

    `moved` are the targets that somebody has led elsewhere since. A recovery that was observed
    while it was held stays observed, unless a step follows it.
    """
    is_recovered = case.rollback.status is RollbackStatus.RUNNING and _is_recovery_current(case)
    becomes = IncidentStatus.RECOVERED if is_recovered else IncidentStatus.ESCALATED
    status, works = RollbackStatus.FAILED, None if is_recovered else False
    return _end_rollback(case, status, becomes, why, moved, works=works)


def cancel_rollback(case: Case) -> bool:
    """End it because a person requested it, and undo nothing. Whether the worker goes on with it.

    After an order that superseded it, or a worse alert that it yields to, the incident stays open
    until its recovery is observed. Otherwise whoever cancelled it decides what happens next; a
    recovery that was observed stays observed, unless a step follows it.
    """
    why = case.rollback.cancel_requested
    replaced = bool(case.rollback.superseded_by or case.rollback.yields_to)
    is_verified = case.rollback.verified_at is not None and case.ill_since is None
    watching = RollbackStatus.WATCHING, IncidentStatus.WATCHING
    is_watched = is_verified and (case.rollback.status, case.incident.status) == watching
    is_recovered = is_watched or _is_recovery_current(case)
    becomes = IncidentStatus.RECOVERED if is_recovered else IncidentStatus.ESCALATED
    if replaced:
        is_kept = is_recovered and not case.rollback.yields_to
        becomes = IncidentStatus.WATCHING if is_kept else IncidentStatus.INVESTIGATING
    status, works = RollbackStatus.CANCELLED, None if is_recovered else False
    return _end_rollback(case, status, becomes, why, works=works)


def succeed_rollback(
    case: Case,
    note: str,
    becomes: IncidentStatus,
    writes: tuple[Write, ...] = (),
    *,
    works: bool | None = None,
    half: DataHalf | None = None,
    observed: Mapping[str, Any] | None = None,
) -> bool:
    """End what is done, with these writes. Whether the worker must go on with it.

    Only what was observed to have recovered is RESOLVED; what still fails is ESCALATED; of all else
    the recovery is observed. `works`: as `change_status`. `half`: what follows for the documents,
    where the caller has just read it. `observed`: fields of the rollback that the last check found.
    """
    status = RollbackStatus.SUCCEEDED
    return _end_rollback(
        case, status, becomes, note, writes=writes, works=works, half=half, observed=observed
    )


def build_cool_down_change(case: Case) -> Callable[[System], System]:
    """What a person's word to stop makes of the system: automation leaves it to them for a while.

    An alert that joins now is told, and not answered by what they did not want.
    """
    until = case.now() + case.policy.gates.cool_down
    return lambda system: replace(system, cool_down_until=until, cool_down_target="")


def ended_fields(case: Case, status: RollbackStatus, outcome: str) -> dict[str, Any]:
    """The fields of a rollback that has ended."""
    return {"status": status, "outcome": outcome, "ended_at": case.now(), "due_at": None, "lease": None}


def _is_recovery_current(case: Case) -> bool:
    """Return whether a recovery was observed that no later step may have undone.

    Functions that such a step may have broken are no longer recorded as working.
    """
    observed = [one.at for one in takewhile(lambda one: one.works, reversed(case.incident.timeline))]
    steps = load_steps(case.ports.store, case.rollback.id).values() if observed else ()
    begun = [one for one in steps if one.begun_at and outcome_summary.changes_target(one)]
    effects = [one for one in begun if one.attempts or one.status is not StepStatus.STOPPED]
    later = [one for one in effects if one.ended_at is None or one.ended_at >= observed[-1]]
    is_wide = not all(map(outcome_summary.restores_function, later))
    case.forget_working(case.policy.functions if is_wide else [one.target for one in later])
    return bool(observed) and not later


def _end_rollback(
    case: Case,
    status: RollbackStatus,
    becomes: IncidentStatus,
    why: str,
    moved: Collection[str] = (),
    writes: tuple[Write, ...] = (),
    works: bool | None = None,
    half: DataHalf | None = None,
    observed: Mapping[str, Any] | None = None,
) -> bool:
    running = case.rollback.status is RollbackStatus.RUNNING  # later, that is kept already
    if running:
        derived_data.request_regeneration(case)
    known = load_steps(case.ports.store, case.rollback.id)
    case.forget_working(one.target for one in unreached_steps(known) if one.status is StepStatus.FAILED)
    steps = known.values()
    # Whoever calls a rollback off has called off what would be asked about next, too.
    asks = bool(case.rollback.plan and case.rollback.plan.asks) and status is not RollbackStatus.CANCELLED
    asks_rest = asks or status is RollbackStatus.SUCCEEDED
    joined = case.read_alerts()
    answered = alerts_answered_by_plan(case, steps, joined)
    is_last = all(one.key in answered for one in unjudged_alerts(joined))  # else they are judged first
    rest = build_remaining_order(case, half) if asks_rest and is_last else None
    if rest is not None:
        becomes = IncidentStatus.INVESTIGATING
        why = f"{why}; the rest needs approval"
    escalated, successor = becomes in DECIDED_BY_PERSON_STATUSES, case.rollback.superseded_by
    is_undoable = has_undoable_changes(case.ports.store, case.incident)
    ended = replace(case.rollback, status=status)
    possible = closing_verbs(ended, is_undoable=is_undoable) if escalated else ()
    possible = exclude_obstructed(StateReader(case.ports.store), case.incident, ended, possible)
    person = status is RollbackStatus.CANCELLED and not case.rollback.yields_to
    short = escalated or bool(successor) or status is RollbackStatus.FAILED
    note = f"continued by {successor}; this rollback: {why}" if successor else why
    more = case.rollback.extension
    dropped = (f"not started: the extension by {more.actor}, {more.reason}",) if more is not None else ()
    serves = outcome_summary.read_served_revisions(case, steps) if short else {}
    later = tuple(build_outstanding_erasure(case.rollback, steps, case.now())) if running else ()
    waits = ("pending erasures run when no pause, freeze or rollback blocks them",) if later else ()
    turn = Transition(
        event=f"rollback.{status.lower()}",
        note=f"{why}; a person may now {_join_alternatives(possible)}" if escalated else note,
        details=(
            *waits,
            *dropped,
            *(outcome_summary.format_served_revisions(steps, serves, moved) if short else ()),
        ),
        choices=("accept",) if successor else possible,
        facts={
            "where": {step.name: f"{step.status} {step.note}".strip() for step in steps},
            **({"serves": serves} if short else {}),
        },
        ends_repair=any(one.kind in (repair.KIND, restore.KIND) for one in steps),
        changes={**(observed or {}), **ended_fields(case, status, why)},
        status=becomes,
        works=works,
        is_undoable=is_undoable,
        writes=(*writes, *((*build_pin_writes(case, steps), *later) if running else ())),
        system=build_cool_down_change(case) if person else None,
        rest=rest,
        despite_words=status is not RollbackStatus.SUCCEEDED,
    )
    return not case.commit_final_transition(turn, answered=answered)


def build_remaining_order(case: Case, half: DataHalf | None = None) -> RollbackRequest | None:
    """What needs a person's word still, as an order that nobody has given; None: nothing does."""
    plan = case.rollback.plan
    if plan is None or not plan.asks:
        half = half or find_data_half(case)
        return half.order if half else None
    return RollbackRequest(
        command="",
        actor="",
        reason=f"the steps of {case.rollback.id} that need approval",
        scenario=plan.scenario,
        target=plan.target,
        rest=True,
    )


def alerts_answered_by_plan(case: Case, steps: Iterable[Step], joined: Iterable[Alert]) -> set[str]:
    """The keys of the unjudged among these alerts that this rollback's plan is the answer to.

    What takes a rollback back is the answer to none, nor is what yields to one of them.
    """
    plan = case.rollback.plan
    alerts = unjudged_alerts(joined)
    if case.rollback.yields_to or (plan is not None and case.rollback.way is not Direction.BACK):
        return set()
    if plan is None:  # undecided to the end: whoever is told now is told of all of them
        return {alert.key for alert in alerts}
    functions = {step.target for step in steps}
    return {alert.key for alert in alerts_answered_by_scenario(alerts, case.policy, plan.scenario, functions)}


def find_unanswered_alerts(case: Case, steps: Iterable[Step], joined: Collection[Alert]) -> list[Alert]:
    """Return the alerts that no decision has taken in, and that this rollback does not answer."""
    answered = alerts_answered_by_plan(case, steps, joined)
    return [alert for alert in unjudged_alerts(joined) if alert.key not in answered]


def alerts_answered_by_scenario(
    alerts: Iterable[Alert], policy: Policy, scenario: ScenarioName, functions: Collection[str]
) -> list[Alert]:
    """Return the alerts that this plan answers; a signal that is only watched asks for none."""
    return [
        alert
        for alert in alerts
        if policy.strictest_mode(policy.signals[alert.signal]) is Mode.OBSERVE
        or (
            policy.signals[alert.signal].scenario in _scenarios_covered_by(scenario, alert.function)
            and (alert.function is None or alert.function in functions)
        )
    ]


def _scenarios_covered_by(scenario: ScenarioName, function: str | None) -> tuple[ScenarioName, ...]:
    """The scenarios that one does as well: everything is more than each part."""
    if scenario is ScenarioName.FEATURE and function is not None:
        return (scenario, ScenarioName.FUNCTIONS)
    if scenario is not ScenarioName.COMPLETE:
        return (scenario,)
    return (scenario, ScenarioName.FUNCTIONS, ScenarioName.AUTH, ScenarioName.FEATURE)


def _join_alternatives(verbs: Sequence[str]) -> str:
    """The verbs as alternatives: `retry, undo or accept`."""
    *others, last = verbs
    return f"{', '.join(others)} or {last}" if others else last
