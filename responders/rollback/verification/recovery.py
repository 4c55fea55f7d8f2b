"""Whether an open incident without a rollback in progress has recovered: checked until it ends."""

from collections.abc import Sequence, Set
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from responders.rollback import report_filing
from responders.rollback.case import SWEEP_MARGIN
from responders.rollback.isolation import fence_guard
from responders.rollback.verification.alert_conditions import (
    ConditionResults,
    evaluate_conditions,
    find_later_failures,
    find_reported_functions,
    read_other_incidents,
)
from responders.support.parallel_calls import METRICS_WINDOW
from shared.core.codec import FrozenStruct
from shared.core.store import Document, Query, Write
from shared.core.text import join_names
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import Incident, IncidentStatus
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.incidents.next_actions import closing_verbs, format_shell_lines
from shared.domain.incidents.opening import public_state_writes
from shared.domain.incidents.overlap import ordered_functions
from shared.domain.notices.notice import Notice
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus, rollback_path
from shared.domain.signals.alert import Alert
from shared.domain.signals.alert_conditions import ConditionState
from shared.domain.signals.registry import SignalSource, has_source
from shared.domain.system_record import System, system_path
from shared.engine.audited_commit import CommitDraft, build_rollback_writes
from shared.ports.groups import Ports
from shared.state import work_queue
from shared.state.available_commands import exclude_obstructed
from shared.state.reader import StateReader

EPOCH = datetime.fromtimestamp(0, UTC)
ACTOR = "recovery check"
"""Whoever writes here holds no rollback: its workers call themselves otherwise."""
MAX_WINDOW = timedelta(hours=1)
"""Where few requests come, so many minutes of them are counted before they tell something."""
INCOMPLETE_ENDS = frozenset({RollbackStatus.FAILED, RollbackStatus.CANCELLED})
"""After these a person decides whether what was moved stays, also once the signals recovered."""


class _Change(FrozenStruct):
    """What a check changes of an incident."""

    event: str
    becomes: IncidentStatus
    note: str
    works: bool | None = None
    """As `change_status`."""


def check_recovery(ports: Ports, policies: Policies, name: str) -> None:
    """Return once the check is recorded: the incident ended, or its next check is due.

    Raises: Moved, when somebody else has written meanwhile; Unavailable.
    """
    document = ports.store.get(incidents.incident_path(name))
    incident = document.find(Incident)
    if incident is None or incident.due_at is None or incident.due_at > document.read_at:
        return
    policy = policies.get(incident.system)
    if policy is None:
        return
    past = _read_rollbacks(ports, incident)
    system = ports.store.get(system_path(incident.system))
    documents = ports.store.query(Query.equal("alerts", incident=incident.id))
    alerts = [document.decode(Alert) for document in documents]
    changes = [incident.detected_at, *(one.received_at for one in alerts if one.is_open)]
    ended = (one.fields["ended_at"] for one in past if one.fields and one.fields["started_at"])
    changes += filter(None, ended)
    foreign = _find_foreign_rollback(ports, incident)
    changes += [_find_last_change(foreign)] if foreign is not None else []
    unobserved = document.read_at - (incident.unobserved_since or document.read_at)
    window = min(METRICS_WINDOW + unobserved, MAX_WINDOW)
    found = evaluate_conditions(ports, policy, incident, alerts, max(changes), document.read_at, window)
    others = read_other_incidents(ports, incident)
    unreported = {*found.functions} - find_reported_functions(policy, others)
    if unreported and not found.failing:
        found = replace(found, failing=(f"functions that fail: {join_names(sorted(unreported))}",))
    doubted = found.scope & find_later_failures(policy, incident, others)
    if max(changes) > document.read_at - METRICS_WINDOW:
        doubted |= _find_uncounted(policy, incident, past, others, found)
    found = replace(found, doubted=doubted)
    _record_check(ports, policy, document, system, past, foreign, found)


def _find_uncounted(
    policy: Policy,
    incident: Incident,
    past: Sequence[Document],
    others: Sequence[Incident],
    found: ConditionResults,
) -> set[str]:
    """Return the functions known to fail of which too few requests came since a change."""
    failed = {*incident.failing, *(past[0].decode(Rollback).failing if past else ())}
    failed -= {*incident.working} | find_reported_functions(policy, others)
    failed |= found.scope & {function for one in others for function in one.failing}
    return failed - found.working


def _read_rollbacks(ports: Ports, incident: Incident) -> list[Document]:
    """The stored rollbacks of the incident, the newest first, down to one that moved something."""
    found = []
    for name in reversed(incident.rollback_ids):
        one = ports.store.get(rollback_path(name))
        if one.fields is not None:
            found.append(one)
            if one.fields["started_at"] is not None:
                break
    return found


def _record_check(
    ports: Ports,
    policy: Policy,
    document: Document,
    system: Document,
    past: Sequence[Document],
    foreign: Rollback | None,
    found: ConditionResults,
) -> None:
    """One commit: what the check found, and what becomes of the incident by that."""
    now, incident = document.read_at, document.decode(Incident)
    moved = next((one.decode(Rollback) for one in past if (one.fields or {})["started_at"]), None)
    state = judge_recovery(found)
    is_proven = _is_recovery_proven(incident, moved or foreign, found)
    is_fenced = fence_guard.is_fence_up(ports, policy)  # it stops the writers: nothing of them is observed
    if state is ConditionState.OVER and (not is_proven or is_fenced):
        state = ConditionState.UNKNOWN
    since = (incident.unobserved_since or now) if state is ConditionState.UNKNOWN else None
    moved = moved or (foreign if state is ConditionState.OVER else None)
    works = found.working | (found.scope if state is ConditionState.OVER else set())
    became = replace(
        incident,
        due_at=now + policy.execution.watch_every - SWEEP_MARGIN,
        unobserved_since=since,
        failing=tuple(sorted({*found.functions} | ({*incident.failing} & {*policy.functions} - works))),
        working=tuple(sorted({*incident.working, *found.working} - {*found.functions})),
    )
    if found.failing or state is ConditionState.STANDS:
        became = incidents.observe_failure(became, now)
    expired = since is not None and now - since >= policy.gates.unobserved_after
    change = _decide_change(incident, moved, found, state, expired=expired)
    if change is None and not is_fenced and _has_only_breach_left(became, found):
        note = "all that failed beside the breach works again"
        change = _Change("incident.recovery-observed", incident.status, note, works=True)
    if change is not None:
        became = incidents.change_status(became, change.becomes, now, change.note, works=change.works)
    became = _confirm(policy, became, found, now)
    current = system.decode(System)
    writes: list[Write] = [document.build_update(became)]
    is_shown = became.is_unconfirmed is not incident.is_unconfirmed
    if change is not None or is_shown or became.has_failed is not incident.has_failed:
        writes += public_state_writes(policy, became, now)
    is_over = state is ConditionState.OVER and change is not None
    writes += _build_follower_writes(ports, policy, became, works, current, now, is_over=is_over)
    if change is None:
        ports.store.commit(writes)
        return
    if became.ended_at is not None:
        current = current.end_incident(incident.id, now)
    writes += [
        *_build_event_writes(ports, incident, past, change, now),
        *report_filing.build_report_request(became),
        system.build_update(current),
    ]
    said = _build_notices(ports, policy, became, past, change, now)
    work_queue.commit_with_notices(ports, writes, said)


def _confirm(policy: Policy, incident: Incident, found: ConditionResults, now: datetime) -> Incident:
    """Return the incident as an outage, once counts or the end of the time to decide confirm it."""
    counted = {None, *found.functions} if found.functions else set()
    is_counted = any(one.function in counted for one in incident.scopes)
    limit = incident.unconfirmed_until or incident.detected_at + policy.gates.decide_within[incident.severity]
    is_late = now >= limit and (incident.unconfirmed_until is not None or bool(found.functions))
    if incident.ended_at is not None or not (is_counted or is_late):
        return incident
    confirmed = replace(incident, unconfirmed_until=None)
    if confirmed.status is not IncidentStatus.DETECTED:
        return confirmed
    why = "confirmed by request counts" if found.functions else "no second source confirmed it in time"
    return incidents.change_status(confirmed, IncidentStatus.INVESTIGATING, now, why)


def _build_notices(
    ports: Ports, policy: Policy, incident: Incident, past: Sequence[Document], change: _Change, now: datetime
) -> list[Notice]:
    """Create the notices of a change, with the commands that a person may give now."""
    verbs: tuple[str, ...] = ()
    if past and incident.is_decided_by_person:
        newest = past[0].decode(Rollback)
        verbs = closing_verbs(newest, is_undoable=incident.is_undoable)
        verbs = exclude_obstructed(StateReader(ports.store), incident, newest, verbs)
    commands = format_shell_lines(policy.system, incident.id, *verbs)
    event = f"{change.event}-{incident.rollbacks}-{len(incident.timeline)}"
    return create_incident_notices(policy, incident, event, change.note, now, to_paste=commands)


def _find_foreign_rollback(ports: Ports, incident: Incident) -> Rollback | None:
    """The newest rollback of another incident of the system that moved something meanwhile."""
    found = ports.store.query(Query.equal("rollbacks", system=incident.system))
    known = [one.decode(Rollback) for one in found]
    return next((one for one in reversed(known) if _find_last_change(one) > incident.detected_at), None)


def _find_last_change(rollback: Rollback) -> datetime:
    """When a rollback had made its last change; while it runs, that is known only if it is held."""
    held_or_ended_at = rollback.paused_since or rollback.ended_at
    return rollback.shifted_at or (rollback.started_at and held_or_ended_at) or EPOCH


def _is_recovery_proven(incident: Incident, moved: Rollback | None, found: ConditionResults) -> bool:
    """Return whether the closed alerts are enough, or a check observed the functions to work.

    An alert that closed before the end of an undo or of a failed rollback proves nothing.
    Functions that worked before a verified rollback got worse again may have failed since.
    """
    if found.is_observed or moved is None:
        return True
    is_ill = moved.way is Direction.UNDO or moved.status is RollbackStatus.FAILED
    is_ill = is_ill or moved.failing_since is not None or moved.ill_since is not None
    is_ill = is_ill or (moved.verified_at is None and bool(moved.failing))
    return not is_ill or (moved.verified_at is None and found.scope <= {*incident.working})


def judge_recovery(found: ConditionResults) -> ConditionState:
    """The state of the whole; no check observes the end of what was declared."""
    standing = [alert for alert, one in found.judged if one is ConditionState.STANDS]
    if found.failing or not all(alert.is_declared for alert in standing):
        return ConditionState.STANDS
    if found.doubted or not (found.are_well and (found.is_alerted or found.is_observed)):
        return ConditionState.UNKNOWN
    is_over = all(one is ConditionState.OVER and not alert.is_declared for alert, one in found.judged)
    return ConditionState.OVER if is_over else ConditionState.UNKNOWN


def _decide_change(
    incident: Incident,
    moved: Rollback | None,
    found: ConditionResults,
    state: ConditionState,
    *,
    expired: bool,
) -> _Change | None:
    """What becomes of the incident; None: it stays as it is."""
    is_own = moved is not None and moved.incident == incident.id and not moved.superseded_by
    is_incomplete = moved is not None and is_own and moved.status in INCOMPLETE_ENDS
    if state is ConditionState.STANDS and incident.newest_turn.is_well:
        note = f"it fails again: {join_names(list(found.lines))}"
        becomes = IncidentStatus.ESCALATED if incident.is_decided_by_person else IncidentStatus.INVESTIGATING
        return _Change("incident.failing-again", becomes, note)
    if state is ConditionState.OVER:
        note = _describe_recovery(moved, has_alerts=bool(found.judged))
        if not is_incomplete:
            return _Change("incident.recovered", IncidentStatus.RESOLVED, note)
        if incident.status is not IncidentStatus.RECOVERED:
            note = f"{note}; a person must still decide whether its changes stay"
            return _Change("incident.recovery-observed", IncidentStatus.RECOVERED, note)
    if expired and not is_incomplete:
        note = "nothing is observed to fail, and no check can tell that it has recovered"
        return _Change("incident.recovery-not-observed", IncidentStatus.RECOVERY_NOT_OBSERVED, note)
    return None


def _has_only_breach_left(incident: Incident, found: ConditionResults) -> bool:
    """Return whether all that failed beside a declared breach is newly observed to work."""
    others = [one for alert, one in found.judged if not has_source(alert.signal, SignalSource.DECLARED)]
    is_declared = len(others) < len(found.judged) and all(one is ConditionState.OVER for one in others)
    is_observed = bool(found.working) and not (found.failing or found.doubted or incident.failing)
    is_new = incident.has_failed and not incident.newest_turn.is_well
    return is_declared and is_observed and is_new and found.scope <= {*incident.working}


def _describe_recovery(moved: Rollback | None, *, has_alerts: bool) -> str:
    """What was observed, and what had been done before."""
    if not has_alerts:
        return "nothing is observed to fail"
    if moved is None:
        return "recovered without a rollback"
    if moved.status in INCOMPLETE_ENDS and moved.shifted_at is None:
        return f"recovered; the rollback {moved.id} was not completed"
    return f"recovered after the rollback {moved.id}"


def _build_follower_writes(
    ports: Ports,
    policy: Policy,
    checked: Incident,
    works: Set[str],
    system: System,
    now: datetime,
    *,
    is_over: bool,
) -> list[Write]:
    """Record in open incidents of orders and breaches which functions of this one work again."""
    writes: list[Write] = []
    for name in system.open_incidents if works else ():
        document = ports.store.get(incidents.incident_path(name))
        follower = document.decode(Incident)
        told = {one for one in follower.scopes if one.proves_failure}
        ordered = ordered_functions(follower.scopes, policy)
        is_about = bool(told or ordered) and told <= {*checked.scopes}
        if not follower.is_ordered:  # a breach
            is_about = is_over and not told and bool(follower.failing) and {*follower.failing} <= works
        if name == checked.id or not is_about:
            continue
        became = replace(
            follower,
            working=tuple(sorted({*follower.working, *works})),
            failing=tuple(one for one in follower.failing if one not in works),
        )
        if is_over and became.has_failed and ordered <= works and not became.failing:
            note = f"what failed works again: {checked.newest_turn.note}"
            became = incidents.change_status(became, became.status, now, note, works=True)
        if became != follower:
            writes.append(document.build_update(became))
            writes += public_state_writes(policy, became, now)
    return writes


def _build_event_writes(
    ports: Ports, incident: Incident, past: Sequence[Document], change: _Change, now: datetime
) -> Sequence[Write]:
    """The event, in the chain of the newest rollback; in the system's, where none is stored."""
    event = create_event(change.event, now, ACTOR, incident=incident.id, note=change.note)
    if not past:
        return [event_write(incident.system, f"{change.event}:{incident.id}:{now:%Y%m%dT%H%M%S}", event)]
    newest = past[0].decode(Rollback)
    draft = CommitDraft((event,), {"expires_at": newest.expires_at})  # so that its head is anchored
    return build_rollback_writes(newest, past[0], draft, ports.ids)
