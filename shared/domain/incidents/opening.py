"""The first commit of an incident: everything that must exist from detection on, at once."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from shared.core.codec import FrozenStruct, encode
from shared.core.store import Create, Document, Put, Reader, Write
from shared.domain import system_record as systems
from shared.domain.audit.chain import Event, build_entry, genesis_hash
from shared.domain.incidents import incident as incidents
from shared.domain.incidents.escalation import create_escalation_notices, find_answer_deadline
from shared.domain.incidents.incident_notices import create_incident_notices
from shared.domain.incidents.overlap import continues_failure
from shared.domain.incidents.recovery_times import find_scenario, recovery_target
from shared.domain.notices.notice import Notice, notice_writes
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.severity import Severity, worse_severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.domain.rollback import rollback as rollbacks
from shared.domain.rollback.rollback import Direction, Rollback, RollbackRequest
from shared.domain.signals.alert import IncidentScope
from shared.domain.signals.labels import signal_label


class IncidentOpening(FrozenStruct):
    """What is to be committed, and what is to be published once it is."""

    incident: incidents.Incident
    rollback: Rollback
    notices: tuple[Notice, ...]
    writes: tuple[Write, ...]


def open_incident(
    policy: Policy,
    system: Document,
    reader: Reader,
    *,
    severity: Severity,
    signal: str,
    function: str | None = None,
    onset: datetime | None = None,
    commit_id: str,
    events: Sequence[Event],
    order: RollbackRequest | None = None,
) -> IncidentOpening:
    """A new incident with its number, its undecided rollback, public state and notices.

    It is detected when the system's document was read, on which time all instances agree; without
    an onset it began then. Two of them at once cannot both land: system and counter are written as
    they were read. An order about what fails by an open incident continues it.
    """
    now = system.read_at
    scope = _describe_scope(policy, signal, function, order)
    counter = reader.get(f"counters/{now:%Y%m%d}")
    number = (counter.fields or {"number": 0})["number"] + 1
    scenario = find_scenario(policy, signal, severity) if order is None else order.scenario
    why = str(order or f"{signal_label(signal)} detected")
    incident = incidents.Incident(
        id=f"INC-{now:%Y%m%d}-{number:03d}",
        system=policy.system,
        severity=severity,
        signal=signal,
        status=incidents.IncidentStatus.DETECTED,
        onset_at=onset or now,
        detected_at=now,
        timeline=[incidents.TimelineEvent(incidents.IncidentStatus.DETECTED, now, why)],
        respond_by=now + recovery_target(policy.targets, scenario, severity),
        is_observed_only=_is_observed_only(policy, system, signal, order),
        scopes=scope,
    )
    if order is not None and order.way is not Direction.UNPIN:
        incident = _continue_failure(policy, system, reader, incident, scenario)
    incident = incidents.acknowledge(incident, order.responder if order is not None else "", now)
    incident = replace(incident, unanswered_at=find_answer_deadline(policy, incident, incident.detected_at))
    counted = counter.build_write({"number": number, "expires_at": now + RECORD_RETENTION})
    first = Create(incidents.incident_path(incident.id), encode(incident))
    text, by = _describe_opening(policy, signal, order), incident.respond_by
    said = create_incident_notices(policy, incident, "detected", text, now, signal=signal, respond_by=by)
    said += create_escalation_notices(policy, incident, now, incident.detected_at)
    rollback = _undecided_rollback(policy, incident, now, commit_id, order)
    return _build_opening(policy, system, incident, rollback, events, said, (counted, first))


def _continue_failure(
    policy: Policy, system: Document, reader: Reader, incident: incidents.Incident, scenario: str
) -> incidents.Incident:
    """Return the incident of an order; it inherits the failure that the order continues.

    That is its beginning, owner, visibility and severity, and what fails.
    """
    earlier = _find_continued_incident(policy, system, reader, incident.scopes)
    if earlier is None:
        return incident
    newest = rollbacks.rollback_path(incidents.rollback_id(earlier.id, earlier.rollbacks))
    observed = (reader.get(newest).fields or {}).get("failing", ())
    severity = worse_severity(incident.severity, earlier.severity)
    proven = (one for one in earlier.scopes if one.proves_failure)
    fails_again_at = incidents.failing_again_at(earlier)
    onset_at, detected_at = fails_again_at or earlier.onset_at, fails_again_at or earlier.detected_at
    return replace(
        incident,
        severity=severity,
        onset_at=onset_at,
        detected_at=detected_at,
        respond_by=detected_at + recovery_target(policy.targets, scenario, severity),
        published_by=earlier.published_by,
        acknowledged_by=earlier.acknowledged_by,
        acknowledged_at=earlier.acknowledged_at,
        scopes=tuple(dict.fromkeys((*incident.scopes, *proven))),
        failing=tuple(sorted({*earlier.failing, *observed})),
        working=earlier.working,
        failure_observed_at=earlier.failure_observed_at and (fails_again_at or earlier.failure_observed_at),
    )


def find_continued_detection(
    policy: Policy, system: Document, reader: Reader, order: RollbackRequest
) -> datetime | None:
    """Return when the failure was detected that an order continues; None: it continues none."""
    earlier = _find_continued_incident(policy, system, reader, _describe_scope(policy, "", None, order))
    return (incidents.failing_again_at(earlier) or earlier.detected_at) if earlier is not None else None


def _find_continued_incident(
    policy: Policy, system: Document, reader: Reader, scopes: Sequence[IncidentScope]
) -> incidents.Incident | None:
    names = reversed(systems.decode_system(system.fields, policy.system).open_incidents)
    opened = (reader.get(incidents.incident_path(name)).decode(incidents.Incident) for name in names)
    return next((one for one in opened if continues_failure(scopes, one, policy)), None)


def reopen_incident(
    policy: Policy,
    system: Document,
    before: Document,
    *,
    now: datetime,
    commit_id: str,
    events: Sequence[Event],
    severity: Severity | None = None,
    order: RollbackRequest | None = None,
    joining: Sequence[IncidentScope] = (),
) -> IncidentOpening:
    """A further rollback, to be decided, of an incident that nobody works on.

    A person has ordered it; or alerts have joined. If the incident is open, the rollback is due a
    little later, so that a storm of alerts is judged together; the decision alone is notified,
    unless `severity` raises the incident.
    """
    known = before.decode(incidents.Incident)
    why = "a further alert joined" if order is None else str(order)
    if order is not None and order.rest:
        why = "the rest needs approval"
    scopes = tuple(dict.fromkeys((*known.scopes, *joining)))
    signals = [one.signal for one in joining] or [known.signal]
    observed = known.is_observed_only and all(
        _is_observed_only(policy, system, one, order) for one in signals
    )
    if not known.has_failed and any(one.proves_failure for one in joining):
        known = replace(known, failure_observed_at=now)
    working = _still_working(known, order, joining)
    known = replace(known, scopes=scopes, due_at=None, unobserved_since=None, working=working)
    again, later = _reopen(policy, known, severity or known.severity, now, is_observed_only=observed)
    again = incidents.acknowledge(again, order.responder if order is not None else "", now)
    undoes = order is not None and order.way is Direction.UNDO
    status = incidents.IncidentStatus.UNDO_REQUESTED if undoes else incidents.IncidentStatus.INVESTIGATING
    if order is None and known.is_unconfirmed:
        status = incidents.IncidentStatus.DETECTED
    again = again if order is None else replace(again, unconfirmed_until=None)
    works = order is not None and not order.rest and known.newest_turn.is_well
    again = incidents.change_status(again, status, now, why, works=works)
    due_at = now + policy.gates.judge_every if order is None and known.ended_at is None else now
    written = before.build_update(again)
    notices: list[Notice] = []
    if order is not None or known.ended_at is not None or again.severity is not known.severity:
        event, text = f"reopened-{again.rollbacks}", f"{why}, it is judged again"
        notices = create_incident_notices(policy, again, event, text, now, was=known.severity)
    rollback = replace(_undecided_rollback(policy, again, now, commit_id, order), due_at=due_at)
    return _build_opening(policy, system, again, rollback, events, notices + later, (written,))


def _still_working(
    incident: incidents.Incident, order: RollbackRequest | None, joining: Sequence[IncidentScope]
) -> tuple[str, ...]:
    """Return the functions known to work that no joining alert is about."""
    if order is not None:
        return incident.working
    named = {one.function for one in joining}
    return () if None in named else tuple(one for one in incident.working if one not in named)


def _reopen(
    policy: Policy, known: incidents.Incident, severity: Severity, now: datetime, *, is_observed_only: bool
) -> tuple[incidents.Incident, list[Notice]]:
    """The incident open again, and its timers where they begin anew or run faster."""
    again = replace(
        known,
        severity=severity,
        rollbacks=known.rollbacks + 1,
        ended_at=None,
        expires_at=None,
        is_observed_only=is_observed_only,
    )
    if known.ended_at is not None or known.is_observed_only:
        again = replace(again, unanswered_at=find_answer_deadline(policy, again, now))
    if known.ended_at is not None:
        target = recovery_target(policy.targets, find_scenario(policy, known.signal, severity), severity)
        decide_by = now + policy.gates.decide_within[severity]
        again = replace(
            again,
            respond_by=now + target,
            acknowledged_by="",
            acknowledged_at=None,
            unconfirmed_until=again.unconfirmed_until and decide_by,
        )
        return again, create_escalation_notices(policy, again, now, now)
    if known.is_observed_only and not is_observed_only:
        return again, create_escalation_notices(policy, again, now, now)
    return raise_severity(policy, again, known.severity, now)


def _describe_opening(policy: Policy, signal: str, order: RollbackRequest | None) -> str:
    """Return what has opened an incident, for its first notice."""
    system = policy.display_name or policy.system
    if order is None:
        return f"{signal_label(signal)} in {system}"
    return f"manual {'unpin' if order.way is Direction.UNPIN else 'rollback'} of {system}; {order}"


def _is_observed_only(policy: Policy, system: Document, signal: str, order: RollbackRequest | None) -> bool:
    """Whether automation does nothing about the signal but observe it."""
    if order is not None or signal not in policy.signals:
        return False
    mode = systems.decode_system(system.fields, policy.system).mode
    return min(mode, policy.strictest_mode(policy.signals[signal])) is Mode.OBSERVE


def _describe_scope(
    policy: Policy, signal: str, function: str | None, order: RollbackRequest | None
) -> tuple[IncidentScope, ...]:
    """What the alert or the order that opens an incident is about."""
    if order is None:
        return (IncidentScope(policy.signals[signal].scenario, signal, function),)
    named = {name for name, group in policy.functions.items() if group in order.groups}
    functions = sorted({*named, *order.functions})
    return tuple(IncidentScope(order.scenario, function=function) for function in functions) or (
        IncidentScope(order.scenario),
    )


def raise_severity(
    policy: Policy, incident: incidents.Incident, was: Severity, now: datetime, *known: Rollback
) -> tuple[incidents.Incident, list[Notice]]:
    """The incident with the response time of its new severity, and the timers that go with it."""
    if incident.severity is was:
        return incident, []
    scenario = find_scenario(policy, incident.signal, incident.severity, known)
    target = recovery_target(policy.targets, scenario, incident.severity)
    faster = replace(incident, respond_by=incident.detected_at + target)
    return faster, create_escalation_notices(policy, faster, now, incident.detected_at, instead_of=was)


def _build_opening(
    policy: Policy,
    system: Document,
    incident: incidents.Incident,
    rollback: Rollback,
    events: Sequence[Event],
    said: list[Notice],
    writes: tuple[Write, ...],
) -> IncidentOpening:
    entry = build_entry(genesis_hash(rollbacks.rollback_path(rollback.id)), 1, rollback.commit_id, 0, events)
    rollback = replace(rollback, audit_head=entry.hash)
    known = systems.decode_system(system.fields, policy.system)
    current = known.begin_incident(incident.id, rollback.id, incident.detected_at)
    first_entry = {**encode(entry), "expires_at": rollback.expires_at}
    opening = (
        system.build_write(current),
        *writes,
        Create(rollbacks.rollback_path(rollback.id), encode(rollback)),
        Create(rollbacks.audit_entry_path(rollback.id, 1), first_entry),
        *public_state_writes(policy, incident, rollback.created_at),
        *notice_writes(said),
    )
    return IncidentOpening(incident, rollback, tuple(said), opening)


def _undecided_rollback(
    policy: Policy, incident: incidents.Incident, now: datetime, commit_id: str, order: RollbackRequest | None
) -> Rollback:
    return Rollback(
        id=incidents.rollback_id(incident.id, incident.rollbacks),
        incident=incident.id,
        system=policy.system,
        status=rollbacks.RollbackStatus.DECIDING,
        created_at=now,
        due_at=now,
        order=order,
        commit_id=commit_id,
        sequence=1,
        decide_by=now + policy.gates.decide_within[incident.severity],
        overrides=order.overrides(now) if order is not None else (),
        expires_at=now + RECORD_RETENTION,
    )


def public_state_writes(policy: Policy, incident: incidents.Incident, now: datetime) -> list[Write]:
    """Return the write of the public state of an incident, beside that of the incident."""
    return [Put(incidents.public_state_path(incident), encode(incidents.public_state(policy, incident, now)))]
