"""The 30 minutes of monitoring after a rollback: regression or success."""

from collections.abc import Collection, Iterable, Mapping, Set
from datetime import datetime, timedelta

from responders.rollback import completion
from responders.rollback.case import Case, Transition, unjudged_alerts
from responders.rollback.isolation import fence_guard
from responders.rollback.verification import health_assessment as measuring
from responders.rollback.verification.alert_conditions import (
    find_incident_functions,
    find_later_failures,
    find_reported_functions,
    read_conditions,
    read_other_incidents,
    record_ended_conditions,
    upcoming_condition_reads,
)
from responders.rollback.verification.rollback_verification import (
    build_late_verification,
    find_count_start,
    find_moved_targets,
)
from responders.rollback.verification.scope_extension import extend_by_failures, find_further_alerts
from shared.core.text import join_names
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Direction
from shared.domain.signals.alert import Alert
from shared.domain.signals.health import (
    Health,
    HealthVerdict,
    failing_functions,
    proven_failing_functions,
    working_functions,
)
from shared.engine.engine import load_steps
from shared.engine.steps.base import StepKind

HEALTH_WINDOW = timedelta(minutes=5)
EXTENSION_CHECKS = 3
"""How many checks may extend monitoring: where no check has passed since one failed, or where
requests to other functions fail, too few of them to prove it."""


def monitor_rollback(case: Case, kinds: Mapping[str, StepKind]) -> bool:
    """One look of the watch; at its end, finish. A regression escalates, it never flips.

    An alert that the plan is no answer to ends the watch early: it must be judged. One about a
    further function of the release waits until its requests prove the failure and extend the plan.
    One whose condition still stands at its limit, or anything that fails at the end, leaves the
    incident to a person. One that is not known to be over leaves it to the recovery check.
    """
    alerts = case.read_alerts()
    if case.raise_severity(alerts) or record_ended_conditions(case):
        return True
    rollback, now = case.rollback, case.now()
    if rollback.way is Direction.REPAIR and fence_guard.await_fence_removal(case):
        return False
    steps = load_steps(case.ports.store, rollback.id).values()
    is_verified = rollback.verified_at is not None  # else requests must still prove the recovery
    start = (rollback.shifted_at or now) if is_verified else find_count_start(case, alerts)
    health = measuring.assess_health_while_monitoring(case, steps, max(start, now - HEALTH_WINDOW))
    is_ill = health.verdict is HealthVerdict.ILL  # once is no regression, unless an alert reports the same
    if is_ill and rollback.ill_since:
        case.observe_check(failing_functions(health.counts, case.policy.gates) | health.probed)
        return completion.fail_rollback(case, f"it got worse again: {health.reason}")
    kept = None if health.verdict is HealthVerdict.WELL else rollback.ill_since
    case.observe(ill_since=now if is_ill else kept)
    pending = find_further_alerts(case, steps)
    if not is_ill and extend_by_failures(case, steps):
        return True
    joined = case.read_alerts()  # read again: alerts come and close while health is looked at
    further, late = unjudged_alerts(joined), case.incident.status is IncidentStatus.ESCALATED
    late = late and rollback.failing_since is None
    waiting = set() if _is_monitoring_over(case) else {alert.key for alert in pending}
    if any(alert.key not in waiting for alert in completion.find_unanswered_alerts(case, steps, joined)):
        becomes = IncidentStatus.ESCALATED if late else IncidentStatus.INVESTIGATING
        ended_early = "the watch ended early: a further alert must be judged"
        return completion.succeed_rollback(case, ended_early, becomes)
    if is_ill and not all(_is_earlier_trouble(alert.started_at, case) for alert in further):
        return completion.fail_rollback(case, f"it got worse again: {health.reason}")
    outside = _find_watched_functions(case, health, joined) - {step.target for step in steps}
    if not is_ill and _record_failure_outside_plan(case, health, outside):
        return True
    is_suspected = bool(outside & failing_functions(health.counts, case.policy.gates))
    if not is_ill and _is_monitoring_over(case, is_extended=is_suspected):
        return _end_monitoring(case, kinds, steps, health, joined, late=late)
    if verified := build_late_verification(case, health, steps, joined, start):
        return case.commit_transition(verified)
    next_look = case.next_check_at(case.policy.execution.watch_every)
    looked = Transition(
        event="health.looked",
        note=health.reason,
        changes={"due_at": min([next_look, *upcoming_condition_reads(case)]), "lease": None},
        say=False,
        writes=case.build_absorb_writes(
            alert for alert in further if _is_earlier_trouble(alert.started_at, case)
        ),
    )
    return not case.commit_transition(looked)


def _find_watched_functions(case: Case, health: Health, joined: Iterable[Alert]) -> set[str]:
    """Return the functions that the incident is about, at the end with all that fail."""
    scope = find_incident_functions(case.policy, case.incident, [one for one in joined if one.is_open])
    scope |= {*case.rollback.failing}
    if _is_monitoring_over(case):  # no later check is there to see what this one has seen first
        scope |= failing_functions(health.counts, case.policy.gates)
    if case.rollback.failing_since is None:
        scope -= find_reported_functions(case.policy, read_other_incidents(case.ports, case.incident))
    return scope


def _is_monitoring_over(case: Case, *, is_extended: bool = False) -> bool:
    """Return whether a check that did not fail ends it now; after a failed one it proves little."""
    until, every = case.rollback.watch_until, case.policy.execution.watch_every
    longer = EXTENSION_CHECKS * every if is_extended or case.rollback.ill_since else timedelta()
    return until is not None and case.now() >= until + longer


def _end_monitoring(
    case: Case,
    kinds: Mapping[str, StepKind],
    steps: Collection[Step],
    health: Health,
    joined: Collection[Alert],
    *,
    late: bool,
) -> bool:
    """End the rollback by its last check; return whether to continue."""
    rollback = case.rollback
    moved, told_of = find_moved_targets(case, steps, kinds), read_conditions(case, joined)
    standing = told_of.lines or (("its alerts were over too late",) if late else ())
    standing += (f"a check failed at {rollback.ill_since:%H:%M} UTC",) if rollback.ill_since else ()
    others, changed = read_other_incidents(case.ports, case.incident), {step.target for step in steps}
    failing = sorted(changed & find_later_failures(case.policy, case.incident, others))
    standing += (f"a later incident is about {join_names(failing)}",) if failing else ()
    is_well = rollback.verified_at is not None and rollback.failing_since is None and not told_of.stands
    is_well = is_well and not failing and (health.verdict is HealthVerdict.WELL or not rollback.ill_since)
    stable = is_well and not told_of.lines and not rollback.ill_since
    becomes = IncidentStatus.RESOLVED if stable else IncidentStatus.INVESTIGATING
    if told_of.stands:
        becomes = IncidentStatus.ESCALATED
    outcome = _describe_outcome(case, health, moved, standing, stable=stable)
    return completion.succeed_rollback(case, outcome, becomes, works=is_well or None)


def _record_failure_outside_plan(case: Case, health: Health, others: Set[str]) -> bool:
    """Whether it is recorded now that other functions of the incident fail again, or work again.

    They begin no rollback: an alert about them does.
    """
    rollback, now, gates = case.rollback, case.now(), case.policy.gates
    failing = others & proven_failing_functions(health.counts, gates)
    outside = others & {*rollback.failing}
    is_well = not failing and outside <= working_functions(health.counts, gates)
    if failing and case.incident.status is IncidentStatus.WATCHING:
        event, becomes = "incident.failing-again", IncidentStatus.ESCALATED
        note = f"functions fail that the rollback did not change: {join_names(sorted(failing))}"
    elif rollback.failing_since and outside and is_well:
        event, becomes = "incident.recovery-observed", IncidentStatus.WATCHING
        note = f"functions work again: {join_names(sorted(outside))}"
    else:
        return False
    return case.commit_transition(
        Transition(
            event=event,
            note=note,
            details=(f"monitoring goes on until {rollback.watch_until or now:%H:%M} UTC",),
            choices=("cancel",) if failing else (),
            changes={"failing_since": now} if failing else {"failing_since": None, "failing": ()},
            status=becomes,
            occasion=f"-{now:%Y%m%dT%H%M%S}",
        )
    )


def _describe_outcome(
    case: Case, health: Health, moved: list[str], standing: Iterable[str], *, stable: bool
) -> str:
    """How it ended, and what is not known about that."""
    parts = ["no regression during monitoring" if stable else "no regression of what it changed"]
    if case.rollback.verified_at is None:
        parts.append("but never verified")
    if health.verdict is HealthVerdict.INCONCLUSIVE:
        parts.append(f"last check: {health.reason}")
    parts += standing
    if moved:
        parts.append(f"since then changed by somebody: {', '.join(moved)}")
    return ", ".join(parts)


def _is_earlier_trouble(started_at: datetime, case: Case) -> bool:
    """Trouble from before the last shift needs no look at the end of the watch."""
    return case.rollback.shifted_at is not None and started_at <= case.rollback.shifted_at
