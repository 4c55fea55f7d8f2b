"""What is coming: told in time, never for noise, and never more often than once an hour."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from msgspec.structs import replace

from shared.domain.policy.probes import Probe
from shared.domain.signals.early_warning import due_warnings, limit_crossing_at
from shared.domain.signals.probe_history import PROBE_INTERVAL, ProbeResult
from shared.domain.signals.probe_signals import ProbeFinding, ProbeRecord
from tests.support.runtime.world import BOOKSHOP

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SLOW = replace(
    BOOKSHOP, probes=(Probe("book", "https://shop.bookshop.example/book", signal="slow_response"),)
)
"""More than 8 s is slow."""


def line(
    value: Callable[[int], float], count: int = 20, every: timedelta = PROBE_INTERVAL
) -> list[tuple[datetime, float]]:
    """Points up to noon."""
    return [(NOON - (count - 1 - number) * every, value(number)) for number in range(count)]


def test_a_line_that_rises() -> None:
    """2 s more each minute, 5 s left: two and a half minutes."""
    crossing = limit_crossing_at(line(lambda number: float(number)), 24.0, NOON)

    assert crossing == NOON + timedelta(minutes=2.5)


@pytest.mark.parametrize(
    "value",
    [
        lambda number: 5.0,
        lambda number: 5.0 - number / 10,
        lambda number: 5.0 + number % 2,
        lambda number: 1.0 if number < 19 else 100.0,
        lambda number: 25.0 + number,
        lambda number: number / 1000,
    ],
    ids=["level", "falls", "to and fro", "one outlier", "there already", "too far away"],
)
def test_no_trend(value: Callable[[int], float]) -> None:
    """Nothing rises steadily towards the limit within the hour."""
    assert limit_crossing_at(line(value), 24.0, NOON) is None


def test_a_line_among_outliers() -> None:
    """A fifth of the points may be as wrong as they like."""
    wrong = {3: 500.0, 8: 0.0, 13: 900.0, 17: 0.0}
    straight = limit_crossing_at(line(lambda number: float(number)), 24.0, NOON)

    crossing = limit_crossing_at(line(lambda number: wrong.get(number, float(number))), 24.0, NOON)

    assert straight is not None
    assert crossing is not None
    assert abs(crossing - straight) < MINUTE


@pytest.mark.parametrize("seed", range(30))
def test_noise_is_no_trend(seed: int) -> None:
    """Answers that scatter around what they always were warn of nothing."""
    random = Random(seed)

    assert limit_crossing_at(line(lambda number: random.lognormvariate(0, 0.5)), 8.0, NOON) is None


def record(seconds: list[float], failed: frozenset[int] = frozenset()) -> ProbeRecord:
    """Looks of one probe up to noon, one each half minute."""
    first = NOON - (len(seconds) - 1) * PROBE_INTERVAL
    looks = tuple(
        ProbeResult(first + number * PROBE_INTERVAL, first, number not in failed, takes, 200)
        for number, takes in enumerate(seconds)
    )
    return ProbeRecord("bookshop", since=first, looks={"book": looks})


def test_an_answer_that_takes_longer_and_longer() -> None:
    """The warning says which signal, which limit, when, and by which probe."""
    rising = record([2 + number / 10 for number in range(30)])

    [warning] = due_warnings(rising, SLOW, NOON)

    assert warning.about == "slow_response"
    # 4.9 s now, 0.2 s more each minute: 15 and a half minutes to 8 s.
    assert warning.text == "at this rate slow_response crosses 8 s at 12:15 UTC; probe book"


def test_failures_that_become_more_and_more() -> None:
    """A ratio is seen in few looks at a time."""
    errors = replace(BOOKSHOP.signals["slow_response"], threshold=0.9, duration=timedelta(minutes=5))
    policy = replace(
        SLOW,
        signals={**SLOW.signals, "error_rate": errors},
        probes=(replace(SLOW.probes[0], signal="error_rate"),),
    )
    failed = {12, 17, 21, 22, 25, 26, 27}  # none, none, 1, 1, 2, 3 of five looks each

    [warning] = due_warnings(record([0.1] * 30, frozenset(failed)), policy, NOON)

    assert warning.text == "at this rate error_rate crosses 90% at 12:07 UTC; probe book"


def test_people_are_warned_once_an_hour() -> None:
    """Of each signal."""
    rising = record([2 + number / 10 for number in range(30)])
    warned = replace(rising, warned={"slow_response": NOON - timedelta(minutes=59)})
    long_ago = replace(rising, warned={"slow_response": NOON - timedelta(minutes=60)})

    assert due_warnings(warned, SLOW, NOON) == ()
    assert len(due_warnings(long_ago, SLOW, NOON)) == 1


def test_trouble_that_is_there_already() -> None:
    """Nobody is warned of what has been found."""
    rising = record([2 + number / 10 for number in range(30)])
    found = ProbeFinding("slow_response", "book", None, NOON, NOON, "probe book: failing or slow for 30s")

    assert due_warnings(replace(rising, findings=(found,)), SLOW, NOON) == ()


@pytest.mark.parametrize(("minutes", "told"), [(9, False), (10, True), (300, True)])
def test_a_probe_that_cannot_be_asked(minutes: int, told: bool) -> None:
    """A signal that nobody looks at is no quiet one: that is told as well."""
    looked = record([0.1] * 5)

    found = due_warnings(looked, SLOW, NOON + minutes * MINUTE)

    assert [one.about for one in found] == (["blind-book"] if told else [])
    assert all("since 12:00 UTC: slow_response is not watched" in one.text for one in found)


def test_a_probe_that_was_never_asked() -> None:
    """The record knows since when it should have been."""
    empty = ProbeRecord("bookshop", since=NOON)

    assert due_warnings(empty, SLOW, NOON + 9 * MINUTE) == ()
    assert [one.about for one in due_warnings(empty, SLOW, NOON + 10 * MINUTE)] == ["blind-book"]
