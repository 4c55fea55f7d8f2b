"""One message for one (incident, event, channel), kept until it is said."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shared.documents import SCHEMA, encode
from shared.policy import Channel, Policy, Severity
from shared.ports import Create
from shared.redaction import redacted, without_personal
from shared.rollback import KEPT_FOR

LIMIT_ATTEMPTS = 10
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=10)


class Status(StrEnum):
    """What became of a notice."""

    PENDING = "PENDING"
    SENT = "SENT"
    UNDELIVERABLE = "UNDELIVERABLE"
    WITHDRAWN = "WITHDRAWN"
    """What it was to warn of was prevented before it was due."""


class Unless(StrEnum):
    """What makes a scheduled notice pointless before it is due."""

    NOTHING = ""
    ACKNOWLEDGED = "acknowledged"
    """Somebody has the incident in hand, or it is over."""
    RESTORED = "restored"
    """The system is back, or another response time holds."""
    LIFTED = "lifted"
    """The pause that it tells of is not in force any more."""


class Notice(Struct, frozen=True):
    """What is to be said to one channel; its id is the key by which a channel knows a repeat."""

    id: str
    incident: str
    system: str
    event: str
    channel: str
    severity: Severity | None
    text: str
    created_at: datetime
    due_at: datetime | None
    facts: dict[str, Any] = {}
    unless: Unless = Unless.NOTHING
    status: Status = Status.PENDING
    attempts: int = 0
    sent_at: datetime | None = None
    last_error: str = ""
    expires_at: datetime | None = None
    schema: int = SCHEMA

    @property
    def is_waiting(self) -> bool:
        """Whether it is to be said, or said again; not one that only may have to be, later."""
        return self.due_at is not None and (self.unless is Unless.NOTHING or self.attempts > 0)


def notices(
    policy: Policy,
    incident: str,
    severity: Severity,
    event: str,
    text: str,
    now: datetime,
    **facts: Any,
) -> list[Notice]:
    """The notices of one event, one for each channel that wants incidents of that severity."""
    wanting = _wanting(policy.channels, severity)
    return _for_each(policy, wanting, incident, severity, event, text, now, now, facts=facts)


def loud(
    policy: Policy,
    incident: str,
    severity: Severity,
    event: str,
    text: str,
    now: datetime,
    **facts: Any,
) -> list[Notice]:
    """The notices of one event that every channel hears, whatever severities it wants."""
    channels = policy.channels
    return _for_each(policy, channels, incident, severity, event, text, now, now, facts=facts)


def scheduled(
    policy: Policy,
    channels: Iterable[Channel],
    incident: str,
    severity: Severity,
    event: str,
    text: str,
    now: datetime,
    due_at: datetime,
    unless: Unless,
    **facts: Any,
) -> list[Notice]:
    """Notices of what will be so at `due_at` unless somebody prevents it, on those channels."""
    wanting = _wanting(channels, severity)
    said = _for_each(policy, wanting, incident, severity, event, text, now, due_at, facts=facts)
    return [replace(notice, unless=unless) for notice in said]


def _for_each(
    policy: Policy,
    channels: Iterable[Channel],
    incident: str,
    severity: Severity,
    event: str,
    text: str,
    now: datetime,
    due_at: datetime,
    *,
    facts: dict[str, Any],
) -> list[Notice]:
    return [
        Notice(
            id=f"{incident}:{event}:{channel.name}",
            incident=incident,
            system=policy.system,
            event=event,
            channel=channel.name,
            severity=severity,
            text=without_personal(text),
            created_at=now,
            due_at=due_at,
            facts=redacted(msgspec.to_builtins(facts), without_personal),
            expires_at=now + KEPT_FOR,
        )
        for channel in channels
    ]


def _wanting(channels: Iterable[Channel], severity: Severity) -> list[Channel]:
    return [channel for channel in channels if severity in channel.severities]


def creates(notices: Iterable[Notice]) -> list[Create]:
    """The writes that keep them."""
    return [Create(path(notice.id), encode(notice)) for notice in notices]


def retry_after(attempts: int) -> timedelta:
    """How long to wait after that many failures: doubling, bounded."""
    return min(FIRST_RETRY * float(2 ** (attempts - 1)), LONGEST_RETRY)


def path(notice: str) -> str:
    """Where a notice is kept."""
    return f"notices/{notice}"
