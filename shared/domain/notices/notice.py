"""One message for one (incident, event, channel), kept until it is said."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.core.codec import SCHEMA_VERSION, FrozenStruct, documents_of, encode
from shared.core.store import Create
from shared.domain.notices.push_progress import PushProgress
from shared.domain.policy.severity import Severity

notice_path = documents_of("notices")


class NoticeStatus(StrEnum):
    """What became of a notice."""

    PENDING = "PENDING"
    SENT = "SENT"
    UNDELIVERABLE = "UNDELIVERABLE"
    WITHDRAWN = "WITHDRAWN"
    """What it was to warn of was prevented before it was due."""


class WithdrawalCondition(StrEnum):
    """What makes a scheduled notice pointless before it is due."""

    NOTHING = ""
    ACKNOWLEDGED = "acknowledged"
    """Somebody has the incident in hand, or it is over."""
    RESTORED = "restored"
    """The system is back, nothing has failed, or another response time holds."""
    LIFTED = "lifted"
    """The pause that it tells of is not in force any more."""
    CALLED_OFF = "called off"
    """What was planned does not begin, or has begun."""
    ANALYSED = "analysed"
    """Somebody has recorded the root cause, or the incident has come back since."""
    HELD_BACK = "held back"
    """The public may not see the incident: the policy waits, or asks a person."""


class Notice(FrozenStruct):
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
    since: datetime
    """When it was first due: the earlier one of an incident is said first on each channel."""
    lane: str
    """Incident and channel, which are one queue."""
    facts: dict[str, Any] = {}
    commands: tuple[str, ...] = ()
    """Lines of its text that are commands of ours, to be pasted."""
    unless: WithdrawalCondition = WithdrawalCondition.NOTHING
    status: NoticeStatus = NoticeStatus.PENDING
    attempts: int = 0
    spread: PushProgress | None = None
    """How far it has come, where the channel looks users up."""
    preview: str = ""
    """What a person approves before it is sent to users: each language's text; empty: nothing."""
    approved_by: str = ""
    sent_at: datetime | None = None
    last_error: str = ""
    expires_at: datetime | None = None
    schema: int = SCHEMA_VERSION

    @property
    def is_waiting(self) -> bool:
        """Whether it is to be said, or said again; not one that only may have to be, later."""
        is_certain = self.unless is WithdrawalCondition.NOTHING or self.attempts > 0
        return self.due_at is not None and is_certain and not self.is_asked

    @property
    def is_asked(self) -> bool:
        """Whether it waits for the approval of a person, until `due_at`."""
        return self.due_at is not None and bool(self.preview) and not self.approved_by

    @property
    def fingerprint(self) -> str:
        """Return what an approval names, so that it is of these texts."""
        return hashlib.sha256(f"{self.id}\n{self.preview}".encode()).hexdigest()

    @property
    def approval_command(self) -> str:
        """Return the command by which a person approves these texts."""
        return f"rollback publish {self.incident} --message {self.fingerprint} --reason WHY"

    @property
    def may_repeat(self) -> bool:
        """Whether what leaves next may have left before."""
        return self.attempts > 0 if self.spread is None else self.spread.is_begun


def notice_writes(notices: Iterable[Notice]) -> list[Create]:
    """The writes that keep them."""
    return [Create(notice_path(notice.id), encode(notice)) for notice in notices]
