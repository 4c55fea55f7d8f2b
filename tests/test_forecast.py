from __future__ import annotations

from datetime import timedelta

import pytest

from shared.forecast import remaining
from shared.plan import Step, StepStatus
from shared.policy import Execution, WriteQuota

SHIFT_SECONDS = 8.0
ROUND_TRIP = 8.4
QUOTA = Execution(write_quota=WriteQuota(burst=60, per_second=1.0))


def shift(name: str, *after: str, status: StepStatus = StepStatus.PENDING) -> Step:
    return Step(name=name, kind="shift", target=name, after=after, writes=1, status=status)


def judge(name: str, *after: str) -> Step:
    return Step(name=name, kind="judge", target=name, after=after)


def seconds(steps: list[Step], tokens: float = 60, **limits: object) -> float:
    took = remaining(steps, QUOTA, shift_seconds=SHIFT_SECONDS, tokens=tokens, **limits)  # type: ignore[arg-type]
    return round(took.total_seconds(), 1)


def test_nothing_left_takes_no_time() -> None:
    """What has ended costs nothing more, and a judgement alone writes nothing."""
    assert seconds([]) == 0.0
    assert seconds([shift("a", status=StepStatus.DONE), judge("b")]) == 0.0


def test_what_the_burst_admits_takes_one_round_trip() -> None:
    assert seconds([shift(str(n)) for n in range(57)]) == ROUND_TRIP


def test_beyond_the_burst_the_quota_sets_the_pace() -> None:
    """The bound of 127 shifts with 5 % refused, and a full burst of 60 at one a second."""
    steps = [shift(str(n)) for n in range(127)]

    assert seconds(steps) == pytest.approx(127 / 0.95 - 60 + ROUND_TRIP, abs=0.1)
    assert seconds(steps, tokens=0) == pytest.approx(127 / 0.95 + ROUND_TRIP, abs=0.1)


def test_what_waits_for_another_begins_a_round_trip_later() -> None:
    """Canary, judgement, the others, and the next group behind them: three waves of writes."""
    steps = [
        shift("canary"),
        judge("judged", "canary"),
        shift("other", "judged"),
        shift("next canary", "other"),
    ]

    assert seconds(steps) == pytest.approx(3 * ROUND_TRIP)


def test_batches_and_their_pauses_are_counted() -> None:
    steps = [shift(str(n)) for n in range(20)]

    took = seconds(steps, batch_size=10, delay=timedelta(seconds=30))

    assert took == pytest.approx(2 * ROUND_TRIP + 30)
