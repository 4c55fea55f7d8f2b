"""How the response to an incident stands: its time running, who has it, who is next. Pure."""

from collections.abc import Iterable
from datetime import datetime

from shared.core.codec import FrozenStruct
from shared.domain.incidents.incident import Incident, has_ended_since
from shared.domain.incidents.recovery_times import RecoveryTimes
from shared.domain.notices.notice import Notice, NoticeStatus, WithdrawalCondition


class EscalationStep(FrozenStruct):
    """The next rung of the on-call ladder, which is climbed unless somebody acknowledges."""

    rung: int
    called: str
    """The contact, or the channel."""
    channels: list[str]
    at: datetime


class ResponseStatus(FrozenStruct):
    """How a response stands at a moment."""

    respond_by: datetime | None
    """When the system must have recovered; None: nobody has set that."""
    recovered_at: datetime | None
    """As `RecoveryTimes` has it."""
    seconds_left: float | None
    """Until `respond_by`, now or when it had recovered; below zero: missed by so much."""
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
        """Whether the system did not recover in time."""
        return self.seconds_left is not None and self.seconds_left < 0


def evaluate_response(
    incident: Incident, times: RecoveryTimes, notices: Iterable[Notice], now: datetime
) -> ResponseStatus:
    """How the response to an incident stands, with its times and all its notices."""
    by = times.recover_by if incident.respond_by is not None and times.has_target else None
    return ResponseStatus(
        respond_by=by,
        recovered_at=times.recovered_at,
        seconds_left=(by - (times.recovered_at or incident.ended_at or now)).total_seconds() if by else None,
        acknowledged_by=incident.acknowledged_by,
        acknowledged_at=incident.acknowledged_at,
        next_call=_next_call(incident, notices),
    )


def _next_call(incident: Incident, notices: Iterable[Notice]) -> EscalationStep | None:
    if incident.ended_at is not None or incident.acknowledged_by:
        return None
    ahead = [
        (one.due_at, one)
        for one in notices
        if one.unless is WithdrawalCondition.ACKNOWLEDGED
        and one.status is NoticeStatus.PENDING
        and one.due_at is not None
        and not has_ended_since(incident, one.created_at)
    ]
    if not ahead:
        return None
    due_at, first = min(ahead, key=lambda pair: pair[0])
    together = sorted(one.channel for moment, one in ahead if moment == due_at)
    called = str(first.facts.get("called", first.channel))
    return EscalationStep(int(first.facts.get("rung", 1)), called, together, due_at)
