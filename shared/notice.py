"""One message for one (incident, event, channel), kept until it is said."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from shared.documents import SCHEMA, encode
from shared.policy import Channel, Policy, Severity
from shared.ports import Create
from shared.rollback import KEPT_FOR

LIMIT_ATTEMPTS = 10
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=10)


class Status(StrEnum):
    """What became of a notice."""

    PENDING = "PENDING"
    SENT = "SENT"
    UNDELIVERABLE = "UNDELIVERABLE"


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
    status: Status = Status.PENDING
    attempts: int = 0
    sent_at: datetime | None = None
    last_error: str = ""
    expires_at: datetime | None = None
    schema: int = SCHEMA


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
    return [
        Notice(
            id=f"{incident}:{event}:{channel.name}",
            incident=incident,
            system=policy.system,
            event=event,
            channel=channel.name,
            severity=severity,
            text=text,
            created_at=now,
            due_at=now,
            facts=msgspec.to_builtins(facts),
            expires_at=now + KEPT_FOR,
        )
        for channel in _wanting(policy, severity)
    ]


def _wanting(policy: Policy, severity: Severity) -> list[Channel]:
    return [channel for channel in policy.channels if severity in channel.severities]


def creates(notices: list[Notice]) -> list[Create]:
    """The writes that keep them."""
    return [Create(path(notice.id), encode(notice)) for notice in notices]


def retry_after(attempts: int) -> timedelta:
    """How long to wait after that many failures: doubling, bounded."""
    return min(FIRST_RETRY * float(2 ** (attempts - 1)), LONGEST_RETRY)


def path(notice: str) -> str:
    """Where a notice is kept."""
    return f"notices/{notice}"
