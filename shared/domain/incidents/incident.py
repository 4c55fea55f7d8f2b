"""Our record of trouble in one system."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from shared.core.codec import SCHEMA_VERSION
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION


class IncidentStatus(StrEnum):
    """How far the response to an incident has come."""

    DETECTED = "DETECTED"
    INVESTIGATING = "INVESTIGATING"
    ROLLING_BACK = "ROLLING_BACK"
    VERIFYING = "VERIFYING"
    WATCHING = "WATCHING"
    RESOLVED = "RESOLVED"
    ESCALATED = "ESCALATED"


PUBLIC_STATUS_NAMES = {
    IncidentStatus.DETECTED: "detected",
    IncidentStatus.INVESTIGATING: "investigating",
    IncidentStatus.ROLLING_BACK: "rolling back",
    IncidentStatus.VERIFYING: "rolling back",
    IncidentStatus.WATCHING: "rolling back (monitoring)",
    IncidentStatus.RESOLVED: "resolved",
    IncidentStatus.ESCALATED: "investigating",
}
"""What the status page says."""


class TimelineEvent(Struct, frozen=True):
    """One line of an incident's time line."""

    status: IncidentStatus
    at: datetime
    note: str


class RootCauseAnalysis(Struct, frozen=True):
    """What a person found an incident to come from."""

    cause: str
    by: str
    at: datetime
    prevention: str = ""
    """What keeps it from coming again; empty: nobody has said yet."""
    public: str = ""
    """What the status page says of it, in the person's words; empty: nothing."""


class Incident(Struct, frozen=True):
    """Trouble in one system, from its detection to its end."""

    id: str
    """Public: INC-YYYYMMDD-NNN."""
    system: str
    severity: Severity
    signal: str
    status: IncidentStatus
    onset_at: datetime
    """When the trouble began, as the alert or the person says."""
    detected_at: datetime
    """When we committed it: the runbook's times count from here."""
    timeline: list[TimelineEvent]
    rollbacks: int = 1
    """How many responses it has had; further ones are numbered from 2."""
    respond_by: datetime | None = None
    """When its system must be back, by its severity; a breach is told."""
    acknowledged_by: str = ""
    """Who has it in hand; empty: nobody, and the on-call ladder goes on."""
    acknowledged_at: datetime | None = None
    published_by: str = ""
    """Who has shown it on the status page; empty: nobody, and the policy says when it is."""
    analysis: RootCauseAnalysis | None = None
    """None: nobody has recorded the root cause."""
    held_by: str = ""
    """Who keeps it beyond its time, by a legal hold; empty: nobody."""
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    schema: int = SCHEMA_VERSION


class PublicStatusChange(Struct, frozen=True):
    """When an incident came to be what the public word says."""

    word: str
    at: datetime


class PublicState(Struct, frozen=True):
    """What the status page is written from: no names, no causes, nothing internal."""

    system: str
    display_name: str
    word: str
    incident: str | None
    severity: Severity | None
    since: datetime
    updated_at: datetime
    signal: str = ""
    onset_at: datetime | None = None
    """When the trouble began; None, where an earlier version wrote this: `since`."""
    turns: list[PublicStatusChange] = []
    """One for each change of the word, the first first."""
    ended_at: datetime | None = None
    published: bool = False
    """Whether a person has said that it is to be shown."""
    cause: str = ""
    """What a person has written for the public of where it came from; empty: nothing."""
    expires_at: datetime | None = None
    """Of the copy that is kept for each incident."""
    schema: int = SCHEMA_VERSION


def public_state(policy: Policy, incident: Incident, now: datetime) -> PublicState:
    """What the status page may say of the incident now."""
    turns: list[PublicStatusChange] = []
    for moment in incident.timeline:
        word = PUBLIC_STATUS_NAMES[moment.status]
        if not turns or turns[-1].word != word:
            turns.append(PublicStatusChange(word, moment.at))
    return PublicState(
        system=policy.system,
        display_name=policy.display_name or policy.system,
        word=PUBLIC_STATUS_NAMES[incident.status],
        incident=incident.id,
        severity=incident.severity,
        since=incident.detected_at,
        updated_at=now,
        signal=incident.signal,
        onset_at=incident.onset_at,
        turns=turns,
        ended_at=incident.ended_at,
        published=bool(incident.published_by),
        cause=incident.analysis.public if incident.analysis is not None else "",
    )


def acknowledge(incident: Incident, actor: str, at: datetime) -> Incident:
    """Return the incident with that owner, unless it has one."""
    return (
        incident if incident.acknowledged_by else replace(incident, acknowledged_by=actor, acknowledged_at=at)
    )


def change_status(
    incident: Incident, status: IncidentStatus, now: datetime, note: str, severity: Severity | None = None
) -> Incident:
    """The incident in its new status, with one line more in its time line."""
    became = replace(
        incident,
        status=status,
        severity=severity or incident.severity,
        timeline=[*incident.timeline, TimelineEvent(status, now, note)],
    )
    if status is not IncidentStatus.RESOLVED:
        return became
    return replace(became, ended_at=now, expires_at=None if incident.held_by else now + RECORD_RETENTION)


def response_deadline(policy: Policy, severity: Severity, since: datetime) -> datetime:
    """When the system must be back: the target of the severity, counted from the detection."""
    return since + policy.targets.by_severity[severity]


def has_ended_since(incident: Incident, moment: datetime) -> bool:
    """Whether it has ended after that moment, and come back with timers of its own."""
    return any(one.status is IncidentStatus.RESOLVED and one.at > moment for one in incident.timeline)


def has_been_escalated(incident: Incident, reopened_at: datetime) -> bool:
    """Whether it waited for a person when it came to be judged again at that moment."""
    before = [*incident.timeline]
    while before and (before[-1].at, before[-1].status) != (reopened_at, IncidentStatus.INVESTIGATING):
        before.pop()
    return len(before) > 1 and before[-2].status is IncidentStatus.ESCALATED


def format_incident_id(day: str, number: int) -> str:
    """INC-YYYYMMDD-NNN; from the thousandth of a day on with four digits."""
    return f"INC-{day}-{number:03d}"


def rollback_id(incident: str, number: int) -> str:
    """The id of an incident's first, second, … rollback."""
    return incident if number == 1 else f"{incident}-r{number}"


def incident_path(incident: str) -> str:
    """Where an incident is kept."""
    return f"incidents/{incident}"


def public_state_path(system: str) -> str:
    """Where the public state of a system is kept."""
    return f"public/{system}"


def public_history_path(system: str) -> str:
    """The collection of the public states of a system's incidents, by incident."""
    return f"{public_state_path(system)}/incidents"
