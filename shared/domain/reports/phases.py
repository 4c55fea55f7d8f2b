"""How long each phase of a rollback took, beside what the runbook asks for. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from shared.core.codec import FrozenStruct
from shared.core.durations import describe_duration
from shared.core.text import count_noun, join_names
from shared.domain.audit.chain import AuditEntry
from shared.domain.deployments.build_recipe import REDEPLOY
from shared.domain.incidents.incident import Incident
from shared.domain.incidents.recovery_times import PAGE_WRITTEN, RecoveryTimes
from shared.domain.notices.notice import Notice, NoticeStatus
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus
from shared.domain.signals.alert import Alert, open_alerts

# The runbook, "Critical Incident Response", steps 1 to 5.
DETECTION_TARGET = timedelta(minutes=2)
DECISION_TARGET = timedelta(minutes=3)
EXECUTION_TARGET = timedelta(minutes=10)
VERIFICATION_TARGET = timedelta(minutes=15)
COMMUNICATION = "communication"
COMMUNICATION_TARGET = timedelta(minutes=20)
CONFIRMATION_TARGET = timedelta(minutes=3)
"""Scenario 1: "confirm system restoration within 3 minutes"."""
DECISION_EVENTS = frozenset({"rollback.decided", "rollback.escalated", "rollback.not-taken"})
"""What ends the decision: it goes back, or a person is called, or nothing is done."""
ENDS = ("rollback.cancelled", "rollback.failed")
WAIT_END_EVENTS = {
    "rollback.parked": ("rollback.approved", "rollback.rejected", "rollback.expired", "rollback.unparked"),
    "rollback.held": ("rollback.resumed", "rollback.unfrozen", "rollback.goes-on", *ENDS),
}
"""What ends a wait that a rollback went into, by the event that began it."""
WAIT_LESSONS = {
    "rollback.parked": "It waited {span} for approval: ask fewer people, or allow automatic rollback.",
    "rollback.held": "It was on hold for {span}, by a pause or a freeze.",
}
HELD_EVENT = "decision.held"
DELAY_LESSONS = {
    "detection": "It was detected {late} late: a probe that opens the signal checks twice a minute.",
    "confirmation by probes": "Its probes passed {late} late: check what they request.",
    "verification": "It was verified {late} late: too few requests were counted, or they failed.",
    "communication": "The last channel got the first notice {late} late: `rollback notify` tests channels.",
}


class Phase(FrozenStruct):
    """One line of the time line; a target of None asks for nothing."""

    name: str
    since: datetime
    until: datetime | None
    """None: it never came to its end."""
    target: timedelta | None

    @property
    def duration(self) -> timedelta | None:
        """How long it lasted."""
        return None if self.until is None else self.until - self.since

    @property
    def is_within_target(self) -> bool:
        """Whether it ended, and within its target."""
        return self.duration is not None and (self.target is None or self.duration < self.target)

    def is_late(self, now: datetime) -> bool:
        """Return whether it can no longer end within its target."""
        return self.target is not None and now >= self.since + self.target


def rollback_phases(
    incident: Incident,
    rollback: Rollback,
    trail: Iterable[AuditEntry],
    began_at: datetime | None,
    told_at: datetime | None,
    policy: Policy,
) -> Iterator[Phase]:
    """The phases of one rollback in order; a further one of its incident has no detection.

    What the policy has nothing for is none: no probe confirms, or nobody is told. What was not
    executed has no phase after its decision, and an undo is not verified: none after its execution.
    A repair is decided once the writer of damage has stopped, so that its decision has no target of
    its own, and no probe confirms it.
    `began_at`: when the trouble began; None where nobody knows, because a person ordered it.
    `told_at`: as `told` says.
    """
    detected, restored = incident.detected_at, rollback.shifted_at
    first = rollback.id == incident.id
    asked = detected if first else rollback.created_at
    moments = (one.at for entry in trail for one in entry.events if one.name in DECISION_EVENTS)
    decided = next(map(datetime.fromisoformat, moments), None)
    if first and began_at is not None:
        yield Phase("detection", began_at, detected, DETECTION_TARGET)
    is_repair = rollback.way is Direction.REPAIR
    yield Phase("decision", asked, decided, None if is_repair else DECISION_TARGET)
    if rollback.way is Direction.UNDO:
        restored = rollback.ended_at if rollback.status is RollbackStatus.SUCCEEDED else None
    is_executed = rollback.status is not RollbackStatus.NOT_TAKEN
    is_verified = is_executed and rollback.way is not Direction.UNDO
    if is_executed:
        yield Phase("execution", decided or asked, restored, EXECUTION_TARGET)
    if is_verified and not is_repair and any(not one.external for one in policy.probes):
        yield Phase("confirmation by probes", restored or asked, rollback.confirmed_at, CONFIRMATION_TARGET)
    if is_verified:
        yield Phase("verification", restored or asked, rollback.verified_at, VERIFICATION_TARGET)
    if first and any(incident.severity in one.severities for one in policy.channels):
        yield Phase(COMMUNICATION, detected, told_at, COMMUNICATION_TARGET)
    if is_verified:
        watched = rollback.ended_at if rollback.watch_until is not None else None
        yield Phase("watch", rollback.verified_at or asked, watched, None)


def incident_totals(times: RecoveryTimes, alerts: Sequence[Alert], policy: Policy) -> Iterator[Phase]:
    """What the runbook counts over all rollbacks of an incident: from its detection, as a rule."""
    detected, restored = times.detected_at, times.traffic_restored_at
    yield Phase(times.names.traffic, detected, restored, None)
    recovered, target = times.names.recovered, times.target if times.has_target else None
    yield Phase(f"{recovered} ({times.kind})" if target else recovered, detected, times.recovered_at, target)
    due = times.status_page_due_at
    if due is not None or times.status_page_at is not None:
        yield Phase(PAGE_WRITTEN, detected, times.status_page_at, None if due is None else due - detected)
    if restored is not None and alerts:
        closed = [restored, *(one.received_at for one in alerts if one.verdict == "closed")]
        cleared = None if open_alerts(alerts) else max(closed)
        yield Phase("alerts cleared", restored, cleared, policy.execution.cleared_within)


def all_notified_at(notices: Iterable[Notice]) -> datetime | None:
    """When the last channel had taken the incident's first notice; None: not each of them has."""
    first = [
        one.sent_at for one in notices if one.event == "detected" and one.status is not NoticeStatus.WITHDRAWN
    ]
    sent = [at for at in first if at is not None]
    return max(sent) if sent and len(sent) == len(first) else None


def derive_lessons(
    incident: Incident,
    trail: Sequence[AuditEntry],
    steps: Sequence[Step],
    phases: Iterable[Phase],
    now: datetime,
) -> Iterator[str]:
    """Yield one sentence for each delay, and one if nobody acknowledged the incident."""
    yield from _wait_lessons(trail, now)
    for one in phases:
        late = one.duration - one.target if one.duration is not None and one.target is not None else None
        if one.name in DELAY_LESSONS and late is not None and not one.is_within_target:
            yield DELAY_LESSONS[one.name].format(late=describe_duration(late))
    yield from _slow_step_lessons(steps)
    if not incident.acknowledged_by:
        yield "Nobody acknowledged it: `rollback ack` names the owner and stops the escalation."


def _wait_lessons(trail: Sequence[AuditEntry], now: datetime) -> Iterator[str]:
    """Yield how long each wait for people lasted; a wait that has not ended counts until now."""
    events = [(datetime.fromisoformat(one.at), one.name) for entry in trail for one in entry.events]
    until: dict[str, datetime] = {}
    for began, name in events:
        if name in WAIT_END_EVENTS and (name not in until or began >= until[name]):  # it is recorded again
            ended = (at for at, other in events if at >= began and other in WAIT_END_EVENTS[name])
            until[name] = next(ended, now)
            yield WAIT_LESSONS[name].format(span=describe_duration(until[name] - began))
    held = [
        event.facts.get("note", "") for entry in trail for event in entry.events if event.name == HELD_EVENT
    ]
    if held:
        checks = count_noun(len(held) + 1, "check")
        yield f"The decision took {checks}. It waited because: {join_names(list(dict.fromkeys(held)))}."


def _slow_step_lessons(steps: Sequence[Step]) -> Iterator[str]:
    """Yield how many functions were rebuilt, and the step that took longest."""
    built = [step for step in steps if step.kind == REDEPLOY and step.begun_at is not None]
    if built:
        yield f"Rebuilt because revisions or images were missing: {count_noun(len(built), 'function')}."
    took = [
        (step.ended_at - step.begun_at, step.name)
        for step in steps
        if step.begun_at and step.ended_at and step.status is StepStatus.DONE
    ]
    longest = max(took, default=(timedelta(0), ""))
    if longest[0] > timedelta(minutes=1):
        yield f"The longest step, {longest[1]}, took {describe_duration(longest[0])}."
