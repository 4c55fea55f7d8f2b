"""When a notice leaves on its channel, and what an attempt makes of the two."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.notices.notice import Notice, NoticeStatus, WithdrawalCondition
from shared.domain.notices.outbox import (
    GIVE_UP_AFTER,
    MAX_SEND_DURATION,
    ChannelState,
    DeliveryResult,
    admit_notice,
    conclude_attempt,
    defer_notice,
    notice_ahead,
    record_answer,
)
from shared.domain.policy.channels import Channel, ChannelKind
from tests.support.fakes.runtime.clock import START

SECOND = timedelta(seconds=1)
CHANNEL = Channel("hook", ChannelKind.WEBHOOK, url="https://hooks.example/x", per_minute=6)
"""One in ten seconds, six at once."""
FRESH = ChannelState("bookshop", CHANNEL.name, CHANNEL.per_minute, START)
DEAD = replace(FRESH, failures=3, rests_until=START + 40 * SECOND)


def notice(name: str = "a", since: datetime = START, **changes: object) -> Notice:
    made = Notice(
        id=name,
        incident="INC-20260302-001",
        system="bookshop",
        event="detected",
        channel="hook",
        severity=None,
        text="any",
        created_at=since,
        due_at=since,
        since=since,
        lane="INC-20260302-001:hook",
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("state", "after", "again"),
    [
        (FRESH, 0.0, None),
        (replace(FRESH, tokens=1.0), 0.0, None),
        (replace(FRESH, tokens=0.9), 0.0, 1.0),
        (replace(FRESH, tokens=0.0), 9.9, 10.0),
        (replace(FRESH, tokens=0.0), 10.0, None),
        (replace(FRESH, tokens=0.0, at=START + 5 * SECOND), 0.0, 10.0),
        (DEAD, 39.9, 40.0),
        (DEAD, 40.0, None),
    ],
)
def test_when_a_notice_may_leave(state: ChannelState, after: float, again: float | None) -> None:
    """When there is room in the minute and the channel does not rest; else it says when."""
    admission = admit_notice(state, CHANNEL, START + after * SECOND)

    if again is None:
        assert isinstance(admission, ChannelState)
    else:
        assert isinstance(admission, datetime)
        assert abs(admission - START - again * SECOND) < SECOND / 1000


def test_a_minute_holds_what_the_policy_says() -> None:
    """Six at once after a quiet hour; the seventh ten seconds later."""
    state, now, left = FRESH, START + timedelta(hours=1), 0
    while isinstance(found := admit_notice(state, CHANNEL, now), ChannelState):
        state, left = found, left + 1

    assert (left, found) == (6, now + 10 * SECOND)


def test_a_dead_channel_is_tried_by_one_notice_at_a_time() -> None:
    """While one is under way, all others wait for what becomes of it."""
    now = START + 40 * SECOND
    tried = admit_notice(DEAD, CHANNEL, now)

    assert isinstance(tried, ChannelState)
    assert admit_notice(tried, CHANNEL, now) == now + MAX_SEND_DURATION


@pytest.mark.parametrize(("failures", "rest"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (10_000, 600)])
def test_a_channel_rests_longer_each_time(failures: int, rest: int) -> None:
    """Doubling, and never longer than the policy says."""
    before = replace(FRESH, failures=failures - 1)

    after = record_answer(before, CHANNEL, DeliveryResult.NONE, START)

    assert (after.failures, after.rests_until) == (failures, START + rest * SECOND)


@pytest.mark.parametrize("answer", [DeliveryResult.TAKEN, DeliveryResult.REFUSED])
def test_a_channel_that_answers_is_well(answer: DeliveryResult) -> None:
    """Whatever it answers."""
    after = record_answer(DEAD, CHANNEL, answer, START)

    assert (after.failures, after.rests_until) == (0, None)


@pytest.mark.parametrize(
    ("answer", "attempts", "late", "status"),
    [
        (DeliveryResult.TAKEN, 10, 2 * GIVE_UP_AFTER, NoticeStatus.SENT),
        (DeliveryResult.REFUSED, 1, timedelta(0), NoticeStatus.UNDELIVERABLE),
        (DeliveryResult.NONE, 9, timedelta(0), NoticeStatus.PENDING),
        (DeliveryResult.NONE, 10, timedelta(0), NoticeStatus.UNDELIVERABLE),
        (DeliveryResult.NONE, 1, GIVE_UP_AFTER, NoticeStatus.PENDING),
        (DeliveryResult.NONE, 1, GIVE_UP_AFTER + SECOND, NoticeStatus.UNDELIVERABLE),
    ],
)
def test_what_an_attempt_makes_of_a_notice(
    answer: DeliveryResult, attempts: int, late: timedelta, status: NoticeStatus
) -> None:
    """Said, or tried again when its channel has rested, or given up by a limit."""
    tried, now = notice(attempts=attempts), START + late

    after = conclude_attempt(tried, CHANNEL, answer, "no", DEAD, now)

    assert after.status is status
    assert after.due_at == (DEAD.rests_until if status is NoticeStatus.PENDING else None)


EARLIER = START - SECOND


@pytest.mark.parametrize(
    ("other", "waits"),
    [
        (notice("z", EARLIER), True),
        (notice("z", START), False),
        (notice("A", START), True),
        (notice("z", START + SECOND), False),
        (notice("z", EARLIER, due_at=START + timedelta(hours=1), attempts=3), True),
        (notice("z", EARLIER, due_at=None, status=NoticeStatus.SENT), False),
        (notice("z", EARLIER, due_at=None, status=NoticeStatus.UNDELIVERABLE), False),
        (notice("z", EARLIER, unless=WithdrawalCondition.ACKNOWLEDGED), False),
        (notice("z", EARLIER, unless=WithdrawalCondition.ACKNOWLEDGED, attempts=1), True),
    ],
)
def test_what_a_notice_waits_for(other: Notice, waits: bool) -> None:
    """The earlier ones of its lane that are still to be said; none that may yet be pointless."""
    mine = notice("a")

    assert notice_ahead(mine, [mine, other], START) == (other if waits else None)


def test_a_notice_that_was_put_off() -> None:
    """It is looked at just after the one before it is tried again, and never at once."""
    mine = notice("a")

    for due_at, again in ((START + 30 * SECOND, 31), (EARLIER, 1)):
        before = notice("z", EARLIER, due_at=due_at)
        assert defer_notice(mine, before, START).due_at == START + again * SECOND
