"""How it was before the trouble, and whether it is worse now."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.signals.baseline import (
    BASELINE_DURATION,
    Baseline,
    baseline_window,
    compare_with_baseline,
    record_baseline,
)
from shared.domain.signals.health import HealthVerdict, RouterRequests
from shared.domain.signals.probe_history import PROBE_INTERVAL, ProbeResult
from tests.support.runtime.world import BOOKSHOP

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = (NOON - BASELINE_DURATION, NOON)
GATES = replace(BOOKSHOP.gates, minimum_requests=100, worse_by=0.05, slower_by=0.5)
WAS = Baseline(*WINDOW, requests=RouterRequests(1000, 10), seconds={"shop": 2.0})


def looks(seconds: float, count: int = 5, *, passed: bool = True) -> dict[str, list[ProbeResult]]:
    """Looks through one probe, up to just before noon."""
    at = [NOON - number * PROBE_INTERVAL for number in range(1, count + 1)]
    return {"shop": [ProbeResult(one, one, passed, seconds, 200) for one in at]}


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ([], NOON),
        ([NOON - MINUTE, NOON - 9 * MINUTE], NOON - 9 * MINUTE),
        ([NOON - BASELINE_DURATION + MINUTE], NOON - BASELINE_DURATION + MINUTE),
        ([NOON - BASELINE_DURATION], NOON),
        ([NOON + MINUTE], NOON),
    ],
    ids=["no change", "the first of two", "just within the hour", "long ago", "after the onset"],
)
def test_the_hour_before_the_trouble(changes: list[datetime], until: datetime) -> None:
    """It ends before the change that brought the trouble: alerts come later than that."""
    assert baseline_window(NOON, changes) == (until - BASELINE_DURATION, until)


def test_what_is_recorded() -> None:
    """The requests together, and what each probe took, where enough looks tell."""
    requests = {"listBooks": RouterRequests(900, 9), "payOrder": RouterRequests(100, 11)}

    found = record_baseline(WINDOW, requests, looks(2.0))

    assert found.requests == RouterRequests(1000, 20)
    assert found.seconds == {"shop": 2.0}
    assert record_baseline(WINDOW, None, looks(2.0, 4)) == Baseline(*WINDOW, requests=None)
    assert record_baseline(WINDOW, None, looks(2.0, passed=False)).seconds == {}


@pytest.mark.parametrize(
    ("was", "now", "took", "expected", "reason"),
    [
        (WAS, RouterRequests(1000, 60), 3.0, HealthVerdict.WELL, "6.0% of the requests fail, 1.0% before"),
        (WAS, RouterRequests(1000, 61), 3.0, HealthVerdict.ILL, "worse than before: 6.1%"),
        (WAS, RouterRequests(1000, 0), 3.1, HealthVerdict.ILL, "shop takes 3.1 s, 2.0 s then"),
        (replace(WAS, seconds={}), RouterRequests(1000, 0), 9.0, HealthVerdict.WELL, "0.0%"),
        (replace(WAS, seconds={"shop": 0.1}), RouterRequests(1000, 0), 1.0, HealthVerdict.WELL, "0.0%"),
        (WAS, RouterRequests(99, 99), 3.0, HealthVerdict.INCONCLUSIVE, "known of now"),
        (WAS, None, 3.0, HealthVerdict.INCONCLUSIVE, "known of now"),
        (
            replace(WAS, requests=RouterRequests(99, 0)),
            RouterRequests(1000, 999),
            3.0,
            HealthVerdict.INCONCLUSIVE,
            "known of before",
        ),
        (replace(WAS, requests=None), RouterRequests(9, 0), 3.0, HealthVerdict.INCONCLUSIVE, "of before"),
        (None, RouterRequests(1000, 999), 9.0, HealthVerdict.INCONCLUSIVE, "not known"),
    ],
    ids=[
        *("just as good", "just worse", "just slower", "never timed", "quick all the same"),
        *("too few now", "no metrics", "too few then", "none then", "nothing recorded"),
    ],
)
def test_worse_than_before(
    was: Baseline | None, now: RouterRequests | None, took: float, expected: HealthVerdict, reason: str
) -> None:
    """Against the hour before the trouble, not against a number; too little says nothing."""
    requests = None if now is None else {"listBooks": now}

    found = compare_with_baseline(was, requests, looks(took), WINDOW, GATES)

    assert found.verdict is expected
    assert reason in found.reason
