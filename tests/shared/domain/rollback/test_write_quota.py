from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.rollback.write_quota import SavedPace, TokenBucket, resume_pace

AT = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_burst_then_the_rate() -> None:
    """All that is there at once, then one by one."""
    bucket = TokenBucket(burst=60, rate=1.0, now=0.0)

    assert all(bucket.take(1, 0.0) for _ in range(60))
    assert not bucket.take(1, 0.0)
    assert bucket.seconds_until(1, 0.0) == 1.0
    assert bucket.take(1, 1.0)


def test_a_refusal_closes_it_for_as_long_as_the_service_says() -> None:
    """The quota's shape is not trusted: what the service says counts."""
    bucket = TokenBucket(burst=60, rate=1.0, now=0.0)

    bucket.record_refusal(10.0, 0.0)

    assert bucket.seconds_until(0, 0.0) == 10.0
    assert not bucket.take(1, 9.9)
    assert bucket.take(60, 10.0)


def test_what_flows_in_while_it_is_closed_makes_no_burst() -> None:
    """Whoever asks for a pause counts otherwise than we do: after it, only the rate counts."""
    bucket = TokenBucket(burst=60, rate=1.0, now=0.0, level=0.0)

    bucket.record_refusal(30.0, 0.0)

    assert bucket.level(30.0) == TokenBucket.PAUSED_BURST
    assert bucket.level(31.0) == TokenBucket.PAUSED_BURST + 1


def test_refusals_far_apart_slow_nothing() -> None:
    """A service refuses for reasons of its own too: one by itself says nothing of the quota."""
    bucket = TokenBucket(burst=60, rate=1.0, now=0.0)

    for _ in range(10):
        bucket.record_refusal(0.0, 0.0)
        for _ in range(6):
            bucket.record_success(1)

    assert (bucket.rate, bucket.level(0.0)) == (1.0, 60.0)


def test_clustered_refusals_empty_it_and_halve_its_rate() -> None:
    """A quota that is tighter than believed is met with less, at once and from then on."""
    bucket = TokenBucket(burst=60, rate=1.0, now=0.0)

    bucket.record_refusal(1.0, 0.0)
    for _ in range(5):
        bucket.record_success(1)
    bucket.record_refusal(1.0, 0.0)
    assert bucket.rate == 1.0  # suspicion 1/6 + 1: barely no cluster
    bucket.record_refusal(1.0, 0.0)

    assert (bucket.rate, bucket.level(0.0)) == (0.5, 0.0)


def test_it_recovers_with_each_write_that_is_accepted() -> None:
    """Slower after a cluster of refusals, and back to the full rate in time."""
    bucket = TokenBucket(burst=10, rate=1.0, now=0.0)
    bucket.record_refusal(1.0, 0.0)
    bucket.record_refusal(1.0, 0.0)
    slowed = bucket.seconds_until(1, 0.0)

    for _ in range(25):
        bucket.record_success(1)

    assert slowed == 2.0
    assert bucket.rate == 1.0


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5), st.booleans()), max_size=60))
def test_it_never_admits_more_than_burst_and_rate(moves: list[tuple[float, int, bool]]) -> None:
    """Whatever happens, no window sees more than its burst and its rate."""
    bucket = TokenBucket(burst=20, rate=2.0, now=0.0)
    now, admitted = 0.0, 0
    for wait, tokens, refused in moves:
        now += wait
        if refused:
            bucket.record_refusal(3.0, now)
        elif bucket.take(tokens, now):
            bucket.record_success(tokens)
            admitted += tokens

    assert admitted <= 20 + 2.0 * now + 1e-6


@pytest.mark.parametrize(
    ("left", "seconds", "tokens"),
    [(None, 0, 60.0), (0.0, 0, 0.0), (0.0, 10, 10.0), (-5.0, 2, -3.0), (50.0, 60, 60.0), (5.0, -9, 5.0)],
)
def test_a_new_worker_goes_on_with_what_the_last_one_left(
    left: float | None, seconds: int, tokens: float
) -> None:
    """A resumed rollback spends no quota twice, and a clock that jumps back adds none."""
    now = AT + timedelta(seconds=seconds)

    pace = resume_pace(None if left is None else SavedPace(left, AT), WriteQuota(), now, 1000.0)

    assert pace.bucket.level(1000.0) == tokens


def test_the_pause_after_a_batch_outlives_its_worker() -> None:
    """A person's delay is counted from the end of the batch, whoever counts."""
    left = SavedPace(0.0, AT, batch_over_at=AT - timedelta(seconds=5))

    pace = resume_pace(left, WriteQuota(), AT + timedelta(seconds=10), 1000.0)

    assert pace.batch_over_at == 985.0


def test_what_a_worker_learnt_of_the_rate_outlives_it() -> None:
    """The next worker does not have to be refused to learn it again."""
    left = SavedPace(0.0, AT, per_second=0.25)

    pace = resume_pace(left, WriteQuota(), AT + timedelta(seconds=8), 1000.0)

    assert (pace.bucket.rate, pace.bucket.level(1000.0)) == (0.25, 2.0)
