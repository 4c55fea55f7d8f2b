"""How long requests take: log-normal around a median, computed and never slept.

Most requests take about the median and a few take much longer: at a shape of 0.5 one in twenty
takes more than 2.3 times the median, one in a thousand more than 4.7 times.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random
from statistics import NormalDist

LOG_STANDARD_DEVIATION = 0.5
"""The standard deviation of the logarithm."""
TIMEOUT = timedelta(seconds=60)
"""The default time-out of a function; what takes longer fails then."""

Mix = Sequence[tuple[float, timedelta]]
"""Weights and medians of the requests of one span of time."""

_NORMAL = NormalDist()
_BISECTION_STEPS = 40


def draw_latency(median: timedelta, draw: Random) -> timedelta:
    """How long one request takes, the time-out at most."""
    return min(median * draw.lognormvariate(0.0, LOG_STANDARD_DEVIATION), TIMEOUT)


def share_slower_than(median: timedelta, limit: timedelta) -> float:
    """The share of requests that take longer than a limit above zero."""
    if not median:
        return 0.0
    return 1.0 - _NORMAL.cdf(math.log(limit / median) / LOG_STANDARD_DEVIATION)


def quantile(mix: Mix, share: float) -> timedelta | None:
    """The time within which that share of the requests is answered; None without requests."""
    weights: dict[timedelta, float] = {}
    for weight, median in mix:
        weights[median] = weights.get(median, 0.0) + weight
    if len(weights) > 1:
        return _mixed_quantile(weights, share)
    for median in weights:
        return min(median * math.exp(LOG_STANDARD_DEVIATION * _NORMAL.inv_cdf(share)), TIMEOUT)
    return None


def _mixed_quantile(weights: Mapping[timedelta, float], share: float) -> timedelta:
    """The same for several medians, closed in on from both sides."""
    may_be_above = (1.0 - share) * sum(weights.values())
    low, high = timedelta(), TIMEOUT
    for _ in range(_BISECTION_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        above = sum(weight * share_slower_than(median, middle) for median, weight in weights.items())
        if above > may_be_above:
            low = middle
        else:
            high = middle
    return high
