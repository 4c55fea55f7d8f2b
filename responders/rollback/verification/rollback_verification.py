"""After the last shift: is it well, and does it stay well?"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from responders.rollback.case import Case, Transition
from responders.rollback.completion import fail_rollback, find_unanswered_alerts, succeed_rollback
from responders.rollback.data_half import find_data_half
from responders.rollback.outcome_summary import effective_steps, shifted_steps, summarize_outcome
from responders.rollback.pins import build_pin_writes
from responders.rollback.verification import health_assessment as measuring
from responders.rollback.verification import repair_verification, scope_extension
from responders.rollback.verification.alert_conditions import find_incident_functions, read_conditions
from responders.support.parallel_calls import CALL_TIMEOUT_SECONDS, call_all
from shared.core import text
from shared.core.durations import describe_duration
from shared.core.errors import RollbackError
from shared.core.store import Update, Write
from shared.domain.deployments.deployment import (
    TAKEN_BACK_REASON,
    DeploymentStatus,
    deployment_path,
    undone_deployments,
)
from shared.domain.incidents.incident import IncidentStatus, failing_again_at, well_since
from shared.domain.incidents.recovery_times import choose_time_names
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step, unreached_steps
from shared.domain.rollback.rollback import Direction, RollbackStatus
from shared.domain.signals.alert import Alert, open_alerts
from shared.domain.signals.alert_conditions import open_condition_lines
from shared.domain.signals.breadth import FEATURE_LEVELS
from shared.domain.signals.health import MAX_COUNT_DELAY, Health, HealthVerdict, failing_functions
from shared.domain.signals.registry import SignalSource, has_source
from shared.engine.engine import load_steps
from shared.engine.steps.base import StepKind, StepVerdict
from shared.engine.steps.documents import erase, restore
from shared.engine.steps.resource_differences import describe_steps, is_resource, is_step_for
from shared.state.reader import StateReader

HEALTH_CHECK_INTERVAL_SECONDS = 10.0


def conclude_steps(case: Case, kinds: Mapping[str, StepKind]) -> bool:
    """Look at every goal once more, now that each step has ended: verify, or fail with the list."""
    steps = load_steps(case.ports.store, case.rollback.id)
    undone = unreached_steps(steps)
    moved = [] if undone else find_moved_targets(case, steps.values(), kinds)
    if undone or moved:
        changed = f"{len(moved)} changed by somebody after their shift: {text.join_names(moved)}"
        return fail_rollback(case, summarize_outcome(steps.values()) if undone else changed, moved)
    if case.rollback.way is Direction.REPAIR:
        return repair_verification.conclude_repair(case, steps.values())
    if case.rollback.way is Direction.UNDO:  # well or ill: it was asked for as it was
        documents = [
            f"{one.name}: {one.note}" for one in steps.values() if one.kind in (restore.KIND, erase.KIND)
        ]
        undone_now = describe_steps(len(shifted_steps(steps.values())), documents)
        return succeed_rollback(case, f"undone: {undone_now} as before", IncidentStatus.ESCALATED)
    if scope_extension.extend_scope(case, scope_extension.find_ongoing_rollout(case), steps.values()):
        return True
    if case.raise_severity(case.read_alerts()):
        return True
    now = case.now()
    word = "unpinned" if case.rollback.way is Direction.UNPIN else "restored"
    names = choose_time_names(case.incident)
    when = f"{describe_duration(now - case.incident.detected_at)} {names.since}"
    back = len(shifted_steps(steps.values()))
    beside = [step.name for step in effective_steps(steps.values()) if is_resource(step)]
    scope, how = case.rollback.scope, f": {names.traffic} {when}"
    failing = sorted({*case.incident.failing} - scope) if scope else []  # empty: not known
    if failing:
        how = f" {when}; others still fail: {text.join_names(failing)}"
    case.commit_transition(
        Transition(
            event="rollback.shifted",
            note=f"{describe_steps(back, beside)} {word}{how}",
            changes={"status": RollbackStatus.VERIFYING, "shifted_at": now},
            status=IncidentStatus.VERIFYING,
            say=case.rollback.order is not None or not _name_occasion(case),  # the extension was notified
            occasion=_name_occasion(case),
            writes=build_pin_writes(case, steps.values()),
        )
    )
    return True


def _name_occasion(case: Case) -> str:
    """Return what tells the notices of an extended plan from those of the plan before."""
    extensions = case.rollback.plan.extensions if case.rollback.plan else 0
    return f"-{extensions}" if extensions else ""


def verify_rollback(case: Case) -> bool:
    """Wait for points after the last shift and the last failure, and for probes; watch, or fail.

    And for a roll-out that goes on, as far as its own time reaches. Where people must be asked
    about more, that is not waited for: they are asked as soon as it is not well without it.
    Recovery is verified only where nothing fails of what the alerts are about.
    """
    alerts = case.read_alerts()
    now, shifted_at = case.now(), case.rollback.shifted_at or case.now()
    steps = load_steps(case.ports.store, case.rollback.id)
    rolling = scope_extension.find_ongoing_rollout(case)
    if case.raise_severity(alerts) or scope_extension.extend_scope(case, rolling, steps.values()):
        return True
    counted_from = find_count_start(case, alerts)
    health = measuring.assess_health(case, steps.values(), counted_from)
    if scope_extension.extend_by_failures(case, steps.values()):
        return True
    joined = case.read_alerts()  # read again: alerts come while health is looked at
    if health.verdict is HealthVerdict.WELL and (
        doubts := _find_doubts(case, steps.values(), health, joined, counted_from)
    ):
        health = Health(HealthVerdict.INCONCLUSIVE, "; ".join(doubts), health.outside)
    limits = case.policy.execution
    expired = now >= shifted_at + limits.verify_within
    settled = expired or rolling is None
    unrestored = health.outside is HealthVerdict.ILL and now >= shifted_at + limits.confirm_within
    if (health.verdict is HealthVerdict.WELL and settled) or (
        expired and health.verdict is HealthVerdict.INCONCLUSIVE
    ):
        turn, documents = _build_monitoring_transition(case, health, steps.values()), find_data_half(case)
        is_well = health.verdict is HealthVerdict.WELL and turn.status is IncidentStatus.WATCHING
        if is_well and documents is not None and documents.is_urgent:
            note = f"code is restored ({health.reason}); invalid or missing documents are not"
            return succeed_rollback(case, note, IncidentStatus.INVESTIGATING, turn.writes, half=documents)
        find_further = partial(find_unanswered_alerts, case, steps.values())
        if is_well and find_further(joined):
            note = f"what it changed works ({health.reason}); a further alert must be judged"
            verified = {"verified_at": now, "failing": ()}
            return succeed_rollback(case, note, IncidentStatus.INVESTIGATING, turn.writes, observed=verified)
        case.commit_transition(
            replace(turn, holds_beside=lambda alerts: not find_further(alerts)) if is_well else turn
        )
    elif health.verdict is HealthVerdict.ILL and case.rollback.plan and case.rollback.plan.asks:
        note = f"the automatic part is restored, but checks fail: {health.reason}"
        return succeed_rollback(case, note, IncidentStatus.INVESTIGATING)
    elif expired or (unrestored and settled):
        return fail_rollback(case, f"checks fail after the last shift: {health.reason}")
    elif case.commit_transition(_build_check_transition(case, health)):
        case.ports.clock.sleep(HEALTH_CHECK_INTERVAL_SECONDS)
    return True


def build_late_verification(
    case: Case, health: Health, steps: Collection[Step], joined: Collection[Alert], counted_from: datetime
) -> Transition | None:
    """Return the transition that verifies a recovery during monitoring; None: it is not proven.

    Too few requests were counted in time, and enough are since. Monitoring ends when it would have.
    """
    is_waiting = case.rollback.verified_at is None and case.incident.status is IncidentStatus.VERIFYING
    is_repair, is_well = case.rollback.way is Direction.REPAIR, health.verdict is HealthVerdict.WELL
    if not is_waiting or is_repair or not is_well:
        return None
    documents = find_data_half(case)
    if documents is not None and documents.is_urgent:
        return None
    turn = _build_monitoring_transition(case, health, steps)
    find_further = partial(find_unanswered_alerts, case, steps)
    is_open = turn.status is not IncidentStatus.WATCHING or find_further(joined)
    if is_open or _find_doubts(case, steps, health, joined, counted_from):
        return None
    changes = {**turn.changes, "watch_until": case.rollback.watch_until}
    return replace(turn, changes=changes, holds_beside=lambda alerts: not find_further(alerts))


def find_count_start(case: Case, alerts: Iterable[Alert]) -> datetime:
    """Return from when on requests prove a recovery: the last shift, or news of a later failure."""
    shifted_at = case.rollback.shifted_at or case.now()
    later = (one.received_at for one in open_alerts(alerts) if one.started_at > shifted_at + MAX_COUNT_DELAY)
    incident = StateReader(case.ports.store).incident(case.incident.id) or case.incident  # alerts change it
    return max(shifted_at, failing_again_at(incident) or shifted_at, *later)


def _find_doubts(
    case: Case, steps: Iterable[Step], health: Health, joined: Collection[Alert], counted_from: datetime
) -> tuple[str, ...]:
    """Return what fails of what the alerts are about; if neither read could count, that.

    An outage that is only watched is over once its alert is. Where no function was shifted,
    requests of these functions must have been counted, too.
    """
    if find_count_start(case, joined) > counted_from:
        return ("an alert about a later failure has joined it",)
    found = read_conditions(case, joined, counted_from)
    watched = [one for one in found.judged if _is_watched_outage(case.policy, one[0])]
    if lines := (*open_condition_lines(watched),):
        return lines
    if not (found.is_observed or shifted_steps(steps)):
        counted = [one for one in found.judged if has_source(one[0].signal, SignalSource.REQUESTS)]
        if lines := (*found.failing, *open_condition_lines(counted)):
            return lines
    if found.failing or not health.counts:
        return found.observed_lines
    scope = find_incident_functions(case.policy, case.incident, [one for one in joined if one.is_open])
    failing = sorted(scope & failing_functions(health.counts, case.policy.gates))
    return (f"functions that fail: {text.join_names(failing)}",) if failing else ()


def _is_watched_outage(policy: Policy, alert: Alert) -> bool:
    """Return whether nothing but the alert observes this CRITICAL or HIGH outage."""
    signal = policy.signals.get(alert.signal)
    if signal is None or signal.severity in FEATURE_LEVELS or signal.scenario is not ScenarioName.NONE:
        return False
    is_counted = alert.function is not None or has_source(alert.signal, SignalSource.REQUESTS)
    return alert.is_of_monitoring and not is_counted


def _build_check_transition(case: Case, health: Health) -> Transition:
    """Record a check that ends nothing; a roll-out that continues may hold up what works again."""
    confirmed = _probe_confirmation_fields(case, health)
    turn = Transition("health.looked", health.reason, changes=confirmed, say=False)
    works = health.verdict is HealthVerdict.WELL
    if works is case.incident.newest_turn.works or health.verdict is HealthVerdict.INCONCLUSIVE:
        return turn
    note = f"works again, and a roll-out continues: {health.reason}" if works else health.reason
    return replace(turn, note=note, status=IncidentStatus.VERIFYING, works=works)


def _probe_confirmation_fields(case: Case, health: Health) -> dict[str, datetime]:
    """The field that tells since when all probes pass, once they do."""
    known = case.rollback.confirmed_at is not None
    return {} if known or health.outside is not HealthVerdict.WELL else {"confirmed_at": case.now()}


def _build_monitoring_transition(case: Case, health: Health, steps: Iterable[Step]) -> Transition:
    verified = health.verdict is HealthVerdict.WELL
    now = case.now()
    took = describe_duration((well_since(case.incident) or now) - case.incident.detected_at)
    names = choose_time_names(case.incident)
    said, status = f"{names.recovered} {took} {names.since}", IncidentStatus.WATCHING
    changes = {"verified_at": now, "failing": ()}
    others = sorted(failing_functions(health.counts, case.policy.gates) & {*case.rollback.failing})
    if not verified:
        said, status, changes = "recovery is NOT verified", IncidentStatus.VERIFYING, {"verified_at": None}
    elif others:
        said = f"functions fail that it did not change: {text.join_names(others)}; what it changed works"
        status = IncidentStatus.ESCALATED
        changes |= {"failing": tuple(others), "failing_since": now}
    return Transition(
        event="rollback.verified" if verified else "rollback.unverified",
        note=f"{said}: {health.reason}",
        choices=("cancel",) if status is IncidentStatus.ESCALATED else (),
        changes={
            "status": RollbackStatus.WATCHING,
            **_probe_confirmation_fields(case, health),
            **changes,
            "watch_until": now + case.policy.execution.watch,
        },
        status=status,
        occasion=_name_occasion(case),
        system=case.release_slot,
        writes=_build_bad_mark_writes(case, steps),
    )


def _build_bad_mark_writes(case: Case, steps: Iterable[Step]) -> tuple[Write, ...]:
    """The writes that mark what was taken back, and nothing that began after the last shift."""
    system, until = case.policy.system, case.rollback.shifted_at or case.now()
    known = [one for one in StateReader(case.ports.store).every_deployment(system) if one.at <= until]
    name = case.rollback.plan.target if case.rollback.plan else ""
    target = next((one for one in known if one.id == name), None)
    if target is None:
        return ()
    functions = {step.target for step in shifted_steps(steps)}
    beside = [step for step in effective_steps(steps) if is_resource(step)]
    back = {one.id for one in undone_deployments(known, target, functions)}
    back |= {
        one.id
        for one in known
        if one.at > target.at and any(is_step_for(step, change) for step in beside for change in one.changes)
    }
    bad = {"status": DeploymentStatus.BAD.value, "baked_at": None, "due_at": None, "expires_at": None}
    why = f"{TAKEN_BACK_REASON}{case.rollback.id}"
    return tuple(
        Update(deployment_path(system, one.id), {**bad, "reason": why})
        for one in known
        if one.id in back and one.status is not DeploymentStatus.BAD
    )


def find_moved_targets(case: Case, steps: Iterable[Step], kinds: Mapping[str, StepKind]) -> list[str]:
    """The targets that are not at their goals any more; an unanswered look tells of nothing."""
    looked_at = {step.name: step for step in effective_steps(steps)}
    case.extend_lease(CALL_TIMEOUT_SECONDS)
    looks = call_all(
        case.ports, {name: partial(kinds[step.kind].look, step) for name, step in looked_at.items()}
    )
    return sorted(
        looked_at[name].target
        for name, look in looks.items()
        if not isinstance(look, RollbackError)
        and look.verdict not in (StepVerdict.AT_GOAL, StepVerdict.UNDER_WAY)
    )
