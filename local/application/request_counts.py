"""How many requests a service has had: integrated over its routing, never generated."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random

from msgspec import Struct

from local.application.latency import Mix
from local.application.service import Period

MIN_REQUESTS_PER_SECOND = 0.5
MAX_REQUESTS_PER_SECOND = 5.0


class RequestTotals(Struct, frozen=True):
    """Requests in a span of time, and those among them answered with 5xx."""

    total: int = 0
    failed: int = 0

    def __add__(self, other: RequestTotals) -> RequestTotals:
        return RequestTotals(self.total + other.total, self.failed + other.failed)

    @property
    def failure_rate(self) -> float | None:
        """Failed of total; None without requests."""
        return self.failed / self.total if self.total else None


def sum_requests(parts: Iterable[RequestTotals]) -> RequestTotals:
    """All of them together."""
    return sum(parts, RequestTotals())


def rate_per_second(function: str, seed: int) -> float:
    """The steady request rate of a function: between 0.5 and 5 a second, the same for a seed."""
    return round(Random(f"{seed}/{function}").uniform(MIN_REQUESTS_PER_SECOND, MAX_REQUESTS_PER_SECOND), 2)


def count_requests_by_revision(
    periods: tuple[Period, ...], per_second: float, start: datetime, end: datetime
) -> dict[str, RequestTotals]:
    """Requests per revision in [start, end); spans that touch add up without loss.

    Whole requests are counted as differences of running totals, succeeded and failed apart.
    """
    before, after = (
        _cumulative_requests(periods, per_second, start),
        _cumulative_requests(periods, per_second, end),
    )
    counted = {}
    for revision, (succeeded, failed) in after.items():
        succeeded_before, failed_before = before.get(revision, (0.0, 0.0))
        good = int(succeeded) - int(succeeded_before)
        bad = int(failed) - int(failed_before)
        if good or bad:
            counted[revision] = RequestTotals(good + bad, bad)
    return counted


def build_latency_mix(periods: tuple[Period, ...], start: datetime, end: datetime) -> Mix:
    """The medians of the requests in [start, end), weighted by how much they were served."""
    weighted: list[tuple[float, timedelta]] = []
    for index, period in enumerate(periods):
        last = periods[index + 1].since if index + 1 < len(periods) else end
        seconds = (min(last, end) - max(period.since, start)).total_seconds()
        if seconds > 0:
            weighted += [(seconds * flow.share, flow.latency) for flow in period.flows]
    return weighted


def _cumulative_requests(
    periods: tuple[Period, ...], per_second: float, until: datetime
) -> dict[str, tuple[float, float]]:
    """Succeeded and failed requests per revision since the service exists, as fractions."""
    totals: dict[str, tuple[float, float]] = {}
    for index, period in enumerate(periods):
        if period.since >= until:
            break
        closed = index + 1 < len(periods)
        last = min(periods[index + 1].since, until) if closed else until
        requests = per_second * (last - period.since).total_seconds()
        for flow in period.flows:
            succeeded, failed = totals.get(flow.revision, (0.0, 0.0))
            share = requests * flow.share
            totals[flow.revision] = (
                succeeded + share * (1 - flow.failure_rate),
                failed + share * flow.failure_rate,
            )
    return totals
