"""What is reported of an incident: seen, decided, done, how long it took, what to review. Pure.

Nothing stands in it that is not recorded; what nobody has recorded is said to be so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.domain.audit.audit_lines import AuditLine, audit_lines_of_entry
from shared.domain.audit.chain import AuditEntry
from shared.domain.data.document import path_sort_key as order_of
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.decision.recorded_decision import suspected_cause
from shared.domain.incidents.incident import Incident, StatusPageRecord
from shared.domain.incidents.recovery_times import RecoveryTimes, measure_recovery
from shared.domain.incidents.response_status import ResponseStatus, evaluate_response
from shared.domain.notices.notice import Notice
from shared.domain.policy.system_policy import Policy
from shared.domain.reports import phases
from shared.domain.reports.impact import Impact, ImpactCounts, measure_impact, unknown_impact
from shared.domain.rollback.pins import Pin
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.rollback import Override, Rollback
from shared.domain.signals.alert import Alert
from shared.domain.signals.declared_checks import VerificationResult

TIMELINE_EXCLUDED_PREFIXES = ("step.", "lease.", "health.", "rollback.claimed")
"""How the names of events begin that a time line leaves to the trail."""
OVERRIDDEN_FIELD = "overridden"
"""The fact of a decision that tells which gates an override has skipped."""
NO_CAUSE = "nobody has recorded it"
NO_PREVENTION = "nobody has recorded how to prevent it"


class ReportedRollback(FrozenStruct):
    """One rollback with what stands below it."""

    rollback: Rollback
    steps: Sequence[Step]
    trail: Sequence[AuditEntry]
    journal: Sequence[JournalEntry] = ()


class ReportFacts(FrozenStruct):
    """All that is kept of an incident."""

    policy: Policy
    incident: Incident
    alerts: Sequence[Alert]
    rollbacks: Sequence[ReportedRollback]
    """Its own, the first first."""
    elsewhere: Sequence[ReportedRollback]
    """Those of other incidents for which somebody said an override to answer this one."""
    outside: Sequence[AuditLine]
    """The system's events outside every rollback."""
    notices: Sequence[Notice]
    pins: Sequence[Pin]
    """All that hold in the system."""
    now: datetime
    counts: ImpactCounts = ImpactCounts()
    page: StatusPageRecord | None = None
    """None: its system has no status page."""


class TimelineEntry(FrozenStruct):
    """One moment of the time line."""

    at: str
    """ISO 8601 in UTC, as the trail has it."""
    what: str
    who: str
    why: str
    rollback: str
    """Empty: outside every rollback."""


class ReportedAlert(FrozenStruct):
    """One alert."""

    received_at: datetime
    started_at: datetime
    signal: str
    function: str
    """Empty: of the system."""
    state: str
    verdict: str


class ReportedPhase(FrozenStruct):
    """One phase beside its target."""

    phase: str
    took_seconds: float | None
    """None: it has not come to its end."""
    target_seconds: float | None
    """None: nothing is asked for."""
    kept: bool | None
    """Whether it ended within its target; None: it still may."""


class ReportedStep(FrozenStruct):
    """What became of one step: what is where."""

    step: str
    status: StepStatus
    ended_at: datetime | None
    note: str


class ReportedDocument(FrozenStruct):
    """One document that was written, or was to be."""

    path: str
    at: datetime | None
    """When it was written; None: it was removed, or left."""
    left: str = ""
    """Why it was left; empty: it was not."""


class RollbackReport(FrozenStruct):
    """One rollback: what was decided and done, and how long each phase took."""

    rollback: str
    status: str
    ended: bool
    ordered_by: str
    """Empty: nobody has; alerts began it."""
    reason: str
    scenario: str
    target: str
    """Empty: there is no plan."""
    outcome: str
    gates: tuple[dict[str, Any], ...]
    left_alone: tuple[str, ...]
    """What the plan reported: warnings, and what it leaves as it is."""
    counts: dict[str, int]
    """Steps by how far they have come."""
    steps: tuple[ReportedStep, ...]
    """But for those that nothing called for."""
    took: tuple[ReportedPhase, ...]
    verification: tuple[VerificationResult, ...]
    documents: tuple[ReportedDocument, ...]


class OverrideReview(FrozenStruct):
    """One emergency override, with everything that its review needs."""

    override: Override
    """The gates that it skipped included, as they answered at the newest decision."""
    rollback: str
    """What it was said to; of another incident perhaps than the one that it was said for."""
    status: str
    decided: bool
    """Whether the gates have been asked yet."""


class IncidentReport(FrozenStruct):
    """All of it."""

    incident: Incident
    system: str
    """As people call it."""
    written_at: datetime
    timeline: tuple[TimelineEntry, ...]
    left_out: int
    """Events that the time line leaves to the trail."""
    seen: tuple[ReportedAlert, ...]
    rollbacks: tuple[RollbackReport, ...]
    times: RecoveryTimes
    promises: tuple[ReportedPhase, ...]
    """What the runbook sets over all rollbacks, in order."""
    response: ResponseStatus
    acknowledged_after_seconds: float | None
    """Counted from the detection; None: nobody has."""
    pins: tuple[Pin, ...]
    """What its rollbacks hold on old revisions still."""
    overrides: tuple[OverrideReview, ...]
    suspected: str
    """What the newest decision that asked for one took for the cause; empty: none did."""
    unrecorded: dict[str, str]
    impact: Impact
    shortened: tuple[str, ...]
    """What would have shortened it, one sentence each."""


def build_report(facts: ReportFacts) -> IncidentReport:
    """The report as far as what is recorded carries it."""
    incident, policy = facts.incident, facts.policy
    times = measure_recovery(policy, incident, [one.rollback for one in facts.rollbacks], facts.page)
    every = _incident_events(facts)
    timeline = _timeline(every)
    names = {one.rollback.id for one in facts.rollbacks}
    meant = measure_impact(policy, incident, facts.counts, facts.now)
    lessons = (
        lesson
        for kept in facts.rollbacks
        for lesson in phases.derive_lessons(
            incident, kept.trail, kept.steps, list(_reported_phases(kept, facts)), facts.now
        )
    )
    return IncidentReport(
        incident=incident,
        system=policy.display_name or policy.system,
        written_at=facts.now,
        timeline=timeline,
        left_out=len(every) - len(timeline),
        seen=tuple(map(_report_alert, facts.alerts)),
        rollbacks=tuple(_report_rollback(one, facts) for one in facts.rollbacks),
        times=times,
        promises=tuple(
            _report_phase(one, is_over=incident.ended_at is not None)
            for one in phases.incident_totals(times, facts.alerts, policy)
        ),
        response=evaluate_response(incident, times, facts.notices, facts.now),
        acknowledged_after_seconds=None
        if incident.acknowledged_at is None
        else (incident.acknowledged_at - incident.detected_at).total_seconds(),
        pins=tuple(one for one in facts.pins if one.rollback in names),
        overrides=tuple(_override_reviews(facts)),
        suspected=suspected_cause([one.rollback for one in facts.rollbacks]),
        unrecorded={**_missing_analysis(incident), **unknown_impact(meant, policy)},
        impact=meant,
        shortened=tuple(dict.fromkeys(lessons)),
    )


def _missing_analysis(incident: Incident) -> dict[str, str]:
    known = incident.analysis
    if known is None:
        return {"root cause": NO_CAUSE}
    return {} if known.prevention else {"prevention": NO_PREVENTION}


def _incident_events(facts: ReportFacts) -> list[AuditLine]:
    """What the trail tells of the incident, the oldest first."""
    incident = facts.incident
    commands = ((one, one.facts.get("command")) for one in facts.outside)
    every = [
        one for one, said in commands if isinstance(said, Mapping) and said.get("incident") == incident.id
    ]
    for kept in facts.rollbacks:
        for entry in kept.trail:
            every += audit_lines_of_entry(entry, kept.rollback.id, incident.id, incident.system)
    return sorted(every, key=lambda one: one.at)


def _timeline(every: Iterable[AuditLine]) -> tuple[TimelineEntry, ...]:
    """What people read of it: without what is quiet, and each of several alike once."""
    lines = [
        TimelineEntry(one.at, one.event, one.actor, one.why, one.rollback)
        for one in every
        if not one.event.startswith(TIMELINE_EXCLUDED_PREFIXES)
    ]
    alike = groupby(lines, key=lambda one: (one.what, one.who, one.why, one.rollback))
    return tuple(next(same) for _, same in alike)


def _report_alert(alert: Alert) -> ReportedAlert:
    return ReportedAlert(
        received_at=alert.received_at,
        started_at=alert.started_at,
        signal=alert.signal,
        function=alert.function or "",
        state=alert.state,
        verdict=alert.verdict,
    )


def _report_rollback(kept: ReportedRollback, facts: ReportFacts) -> RollbackReport:
    rollback, plan = kept.rollback, kept.rollback.plan
    order, has_ended = rollback.order, rollback.has_ended
    called = [one for one in kept.steps if one.status is not StepStatus.UNNEEDED]
    documents = [ReportedDocument(one.path, one.at) for batch in kept.journal for one in batch.landed]
    documents += [ReportedDocument(one.path, None, one.why) for batch in kept.journal for one in batch.left]
    return RollbackReport(
        rollback=rollback.id,
        status=rollback.status,
        ended=has_ended,
        ordered_by=order.actor if order else "",
        reason=order.reason if order else "",
        scenario=plan.scenario if plan else rollback.scenario,
        target=plan.target if plan else "",
        outcome=rollback.outcome,
        gates=rollback.gates,
        left_alone=plan.reported if plan else (),
        counts=dict(Counter(str(one.status) for one in called)),
        steps=tuple(ReportedStep(one.name, one.status, one.ended_at, one.note) for one in called),
        took=tuple(
            _report_phase(
                one, is_over=has_ended if one.name != phases.COMMUNICATION else one.is_late(facts.now)
            )
            for one in _reported_phases(kept, facts)
        ),
        verification=tuple(rollback.verification.values()),
        documents=tuple(sorted(documents, key=lambda one: order_of(one.path))),
    )


def _reported_phases(kept: ReportedRollback, facts: ReportFacts) -> Iterator[phases.Phase]:
    incident, rollback = facts.incident, kept.rollback
    began_at = None if rollback.order else incident.onset_at
    said_at = phases.all_notified_at(facts.notices)
    return phases.rollback_phases(incident, rollback, kept.trail, began_at, said_at, facts.policy)


def _report_phase(phase: phases.Phase, *, is_over: bool) -> ReportedPhase:
    return ReportedPhase(
        phase=phase.name,
        took_seconds=None if phase.duration is None else phase.duration.total_seconds(),
        target_seconds=None if phase.target is None else phase.target.total_seconds(),
        kept=phase.is_within_target if is_over or phase.until is not None else None,
    )


def _override_reviews(facts: ReportFacts) -> Iterator[OverrideReview]:
    """Each override that was said to a rollback of the incident, or for it to another's."""
    for kept in facts.rollbacks:
        for one in kept.rollback.overrides:
            yield _review_override(kept, one)
    for kept in facts.elsewhere:
        for one in kept.rollback.overrides:
            if one.incident == facts.incident.id:
                yield _review_override(kept, one)


def _review_override(kept: ReportedRollback, override: Override) -> OverrideReview:
    """As kept with the rollback; where that did not go ahead, as its trail tells."""
    answers = [
        event.facts[OVERRIDDEN_FIELD]
        for entry in kept.trail
        for event in entry.events
        if OVERRIDDEN_FIELD in event.facts
    ]
    return OverrideReview(
        override=replace(override, skipped=tuple(override.skipped or (answers[-1] if answers else ()))),
        rollback=kept.rollback.id,
        status=kept.rollback.status,
        decided=bool(answers),
    )
