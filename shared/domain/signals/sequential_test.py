"""A sequential test of counted requests: do they prove a failure ratio? pure."""

from math import lgamma, log
from typing import Protocol

RESOLUTION = 0.7
"""The test tells a failure ratio at its level from one of this part of it."""
FALSE_ALARMS = 1e-3
"""The budget of a test: how likely `RESOLUTION` of the level ever passes it."""
PRIOR = (5.0, 1.0)
"""The Beta distribution of what a failing function fails: mostly everything."""


class Count(Protocol):
    """Requests, and how many of them failed."""

    @property
    def total(self) -> int:
        """All of them."""

    @property
    def failed(self) -> int:
        """Those that failed."""


def has_failed(count: Count, level: float, false_alarms: float = FALSE_ALARMS) -> bool:
    """Return whether the requests prove a failure ratio at a level.

    More of them fail than the level allows, and the mixture likelihood ratio against the ratio
    q = `RESOLUTION` * level has reached 1 / `false_alarms`:
    B(a + failed, b + succeeded) / B(a, b) / (q ** failed * (1 - q) ** succeeded),
    with the Beta function B and the prior Beta(a, b). Under q it is a martingale, so that it ever
    reaches 1 / alpha with probability alpha at most, however often it is read (Robbins 1970,
    Ann. Math. Statist. 41:1397; Ville's inequality). The budget holds for one start of the counts.
    """
    failed, succeeded = count.failed, count.total - count.failed
    if not 0.0 < level < 1.0 or failed <= level * count.total:
        return False
    ratio, (alpha, beta) = RESOLUTION * level, PRIOR
    evidence = _log_beta(alpha + failed, beta + succeeded) - _log_beta(alpha, beta)
    return evidence - failed * log(ratio) - succeeded * log(1.0 - ratio) >= -log(false_alarms)


def _log_beta(alpha: float, beta: float) -> float:
    return lgamma(alpha) + lgamma(beta) - lgamma(alpha + beta)
