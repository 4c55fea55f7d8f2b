"""Our record of trouble in one system."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from shared.documents import SCHEMA
from shared.policy import Severity


class Status(StrEnum):
    """How far the response to an incident has come."""

    DETECTED = "DETECTED"
    INVESTIGATING = "INVESTIGATING"
    ROLLING_BACK = "ROLLING_BACK"
    VERIFYING = "VERIFYING"
    WATCHING = "WATCHING"
    RESOLVED = "RESOLVED"
    ESCALATED = "ESCALATED"


PUBLIC_WORDS = {
    Status.DETECTED: "detected",
    Status.INVESTIGATING: "investigating",
    Status.ROLLING_BACK: "rolling back",
    Status.VERIFYING: "rolling back",
    Status.WATCHING: "rolling back (monitoring)",
    Status.RESOLVED: "resolved",
    Status.ESCALATED: "investigating",
}
"""What the status page says."""


class Moment(Struct, frozen=True):
    """One line of an incident's time line."""

    status: Status
    at: datetime
    note: str


class Incident(Struct, frozen=True):
    """Trouble in one system, from its detection to its end."""

    id: str
    """Public: INC-YYYYMMDD-NNN."""
    system: str
    severity: Severity
    signal: str
    status: Status
    onset_at: datetime
    """When the trouble began, as the alert or the person says."""
    detected_at: datetime
    """When we committed it: the runbook's times count from here."""
    timeline: list[Moment]
    rollbacks: int = 1
    """How many responses it has had; further ones are numbered from 2."""
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    schema: int = SCHEMA


class PublicState(Struct, frozen=True):
    """What the status page is written from: no names, no causes, nothing internal."""

    system: str
    display_name: str
    word: str
    incident: str | None
    severity: Severity | None
    since: datetime
    updated_at: datetime
    schema: int = SCHEMA


def public_id(day: str, number: int) -> str:
    """INC-YYYYMMDD-NNN; from the thousandth of a day on with four digits."""
    return f"INC-{day}-{number:03d}"


def rollback_id(incident: str, number: int) -> str:
    """The id of an incident's first, second, … rollback."""
    return incident if number == 1 else f"{incident}-r{number}"


def path(incident: str) -> str:
    """Where an incident is kept."""
    return f"incidents/{incident}"


def public_path(system: str) -> str:
    """Where the public state of a system is kept."""
    return f"public/{system}"
