"""When a notice may leave on its channel, and what an attempt makes of both. Pure.

A channel has one state for all its notices, so that a dead one is asked by one notice at a time,
and the others wait without an attempt of theirs being spent.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from shared.core.codec import SCHEMA_VERSION, FrozenStruct, system_documents_of
from shared.core.errors import Rejected, Unavailable
from shared.domain.notices.notice import Notice, NoticeStatus
from shared.domain.policy.channels import Channel

channel_path = system_documents_of("channels")

MAX_SEND_DURATION = timedelta(minutes=1)
"""Longer than any channel may take: until then nobody else sends it."""
GIVE_UP_AFTER = timedelta(hours=6)
"""What could not be said for so long is old news."""
RECHECK_DELAY = timedelta(seconds=1)
ROUNDING_TOLERANCE = 1e-9
"""What binary fractions lose: whoever waited as told must not find the bucket just short."""


class DeliveryResult(StrEnum):
    """What a channel answers to one notice."""

    TAKEN = "taken"
    PARTLY = "partly"
    """It has taken some of it, and is told the rest next."""
    REFUSED = "refused"
    """It answers, and will never take this one."""
    NONE = "none"


def classify_channel_failure(failure: Rejected | Unavailable) -> tuple[DeliveryResult, str]:
    """Return what a failure says of a channel, and its text."""
    return DeliveryResult.REFUSED if isinstance(failure, Rejected) else DeliveryResult.NONE, str(failure)


class ChannelState(FrozenStruct):
    """What all instances know of one channel."""

    system: str
    channel: str
    tokens: float
    """How many notices may leave at once."""
    at: datetime
    """When that was so."""
    failures: int = 0
    """Attempts in a row without an answer."""
    rests_until: datetime | None = None
    """Until then no notice is tried: it did not answer, or one is just being tried."""
    schema: int = SCHEMA_VERSION


def admit_notice(state: ChannelState, channel: Channel, now: datetime) -> ChannelState | datetime:
    """The channel once one notice more may leave on it; or when to ask again."""
    if state.rests_until is not None and now < state.rests_until:
        return state.rests_until
    per_second = channel.per_minute / 60
    since = max(0.0, (now - state.at).total_seconds())
    tokens = min(float(channel.per_minute), state.tokens + since * per_second)
    if tokens < 1 - ROUNDING_TOLERANCE:
        return now + timedelta(seconds=(1 - tokens) / per_second)
    tried_alone = now + MAX_SEND_DURATION if state.failures else None
    return replace(state, tokens=tokens - 1, at=now, rests_until=tried_alone)


def record_answer(
    state: ChannelState, channel: Channel, answer: DeliveryResult, now: datetime
) -> ChannelState:
    """The channel after an attempt: it rests longer each time that it does not answer."""
    if answer is not DeliveryResult.NONE:
        return replace(state, failures=0, rests_until=None)
    failures = state.failures + 1
    return replace(state, failures=failures, rests_until=now + rest_duration(failures, channel))


def rest_duration(failures: int, channel: Channel) -> timedelta:
    """How long a channel rests after so many failures in a row: doubling, bounded."""
    return min(channel.first_retry * float(2 ** min(failures - 1, 30)), channel.longest_retry)


def conclude_attempt(
    notice: Notice, channel: Channel, answer: DeliveryResult, error: str, state: ChannelState, now: datetime
) -> Notice:
    """The notice after an attempt; `state` is the channel's after it."""
    if answer is DeliveryResult.TAKEN:
        return replace(notice, status=NoticeStatus.SENT, sent_at=now, due_at=None)
    if answer is DeliveryResult.PARTLY:
        return replace(notice, attempts=1, due_at=now)
    late = notice_age(notice, now) > GIVE_UP_AFTER
    if answer is DeliveryResult.REFUSED or late or notice.attempts >= channel.attempts:
        return mark_undeliverable(notice, error)
    return replace(notice, due_at=state.rests_until, last_error=error)


def notice_age(notice: Notice, now: datetime) -> timedelta:
    """Return how long ago the notice was first due."""
    return now - notice.since


def mark_undeliverable(notice: Notice, why: str) -> Notice:
    """The notice that nobody will try again."""
    return replace(notice, status=NoticeStatus.UNDELIVERABLE, due_at=None, last_error=why)


def notice_ahead(notice: Notice, lane: Iterable[Notice], now: datetime) -> Notice | None:
    """The notice that is to be said before this one, of those on its lane; None: it is the next."""
    earlier = [one for one in waiting_notices(lane, now) if _lane_position(one) < _lane_position(notice)]
    return min(earlier, key=_lane_position, default=None)


def next_notice(lane: Iterable[Notice], now: datetime) -> Notice | None:
    """The notice of a lane that is to be said now; None: none is."""
    return min(waiting_notices(lane, now), key=_lane_position, default=None)


def waiting_notices(lane: Iterable[Notice], now: datetime) -> list[Notice]:
    """What is to be said, or said again; not what only may have to be, later."""
    return [one for one in lane if one.is_waiting and one.since <= now]


def defer_notice(notice: Notice, before: Notice, now: datetime) -> Notice:
    """The notice, to be looked at again when the one before it may be over."""
    return replace(notice, due_at=max(before.due_at or now, now) + RECHECK_DELAY)


def _lane_position(notice: Notice) -> tuple[datetime, str]:
    return (notice.since or notice.created_at, notice.id)
