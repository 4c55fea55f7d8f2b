"""How the response to an incident stands: its time running, who has it, who is next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from shared.domain.incidents import incident as incidents
from shared.domain.incidents.incident import Incident
from shared.domain.notices.notice import Notice, NoticeStatus, WithdrawalCondition
from shared.domain.rollback.rollback import Rollback, RollbackStatus


class EscalationStep(Struct, frozen=True):
    """The next rung of the on-call ladder, which is climbed unless somebody acknowledges."""

    rung: int
    called: str
    """The contact, or the channel."""
    channels: list[str]
    at: datetime


class ResponseStatus(Struct, frozen=True):
    """How a response stands at a moment."""

    respond_by: datetime | None
    """When the system must be back; None: nobody has set that."""
    restored_at: datetime | None
    """When it was seen to be back, or the incident was over; None while it is neither."""
    seconds_left: float | None
    """Until then, or when it was restored; below zero: breached by so much."""
    acknowledged_by: str
    acknowledged_at: datetime | None
    next_call: EscalationStep | None
    """None: somebody has it in hand, or nobody further is to be called."""
    commands: tuple[str, ...] = ()
    """Who ordered the rollback and who stops it, each with the reason."""
    hold: str = ""
    """The pause or freeze that holds it, and what ends that; empty: none does."""

    @property
    def is_breached(self) -> bool:
        """Whether the system was not back in time."""
        return self.seconds_left is not None and self.seconds_left < 0


def evaluate_response(
    incident: Incident, rollback: Rollback | None, notices: Iterable[Notice], now: datetime
) -> ResponseStatus:
    """How the response to an incident stands, with its newest rollback and all its notices."""
    by, restored = incident.respond_by, _restored_at(incident, rollback)
    return ResponseStatus(
        respond_by=by,
        restored_at=restored,
        seconds_left=(by - (restored or now)).total_seconds() if by else None,
        acknowledged_by=incident.acknowledged_by,
        acknowledged_at=incident.acknowledged_at,
        next_call=_next_call(incident, notices),
    )


def _restored_at(incident: Incident, rollback: Rollback | None) -> datetime | None:
    """When the system was verified, unless it has been worse since; else the incident's end."""
    if rollback and rollback.status in (RollbackStatus.WATCHING, RollbackStatus.SUCCEEDED):
        return rollback.verified_at
    return incident.ended_at


def _next_call(incident: Incident, notices: Iterable[Notice]) -> EscalationStep | None:
    if incident.ended_at is not None or incident.acknowledged_by:
        return None
    ahead = [
        (one.due_at, one)
        for one in notices
        if one.unless is WithdrawalCondition.ACKNOWLEDGED
        and one.status is NoticeStatus.PENDING
        and one.due_at is not None
        and not incidents.has_ended_since(incident, one.created_at)
    ]
    if not ahead:
        return None
    due_at, first = min(ahead, key=lambda pair: pair[0])
    together = sorted(one.channel for moment, one in ahead if moment == due_at)
    called = str(first.facts.get("called", first.channel))
    return EscalationStep(int(first.facts.get("rung", 1)), called, together, due_at)
