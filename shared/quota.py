"""The write quota as we believe it to be: a token bucket that learns from refusals."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from shared.documents import SCHEMA
from shared.policy import WriteQuota

ROUNDING = 1e-9
"""What binary fractions lose: a caller that waited as told must not find the bucket just short."""


class PaceLeft(Struct, frozen=True):
    """How fast a system's next worker may go on, as its last one left it."""

    level: float
    """Tokens of the write quota."""
    at: datetime
    batch_over_at: datetime | None = None
    """When the last batch ended; its pause counts from there."""
    schema: int = SCHEMA


class TokenBucket:
    """Admits `burst` writes at once and `rate` per second after; slower after each refusal.

    The real shape of Google's quota is uncertain (fixed minutes are possible), so a refusal empties
    the bucket, closes it for as long as the service says, and halves the rate; each write that was
    admitted afterwards gives a little back (additive increase, multiplicative decrease).
    """

    RECOVERY_PER_WRITE = 0.02

    def __init__(self, burst: float, rate: float, now: float, level: float | None = None) -> None:
        """Begin with `level` tokens, full when None; `now` and all times are monotonic seconds."""
        self._burst = burst
        self._ceiling = rate
        self._rate = rate
        self._level = burst if level is None else min(level, burst)
        self._at = now

    def level(self, now: float) -> float:
        """Tokens there are now; negative while a refusal is waited out."""
        if now > self._at:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
            self._at = now
        return self._level

    def take(self, tokens: float, now: float) -> bool:
        """Whether that many were there; they are spent then."""
        if self.level(now) < tokens - ROUNDING:
            return False
        self._level -= tokens
        self._rate = min(self._ceiling, self._rate + self.RECOVERY_PER_WRITE * tokens)
        return True

    def give_back(self, tokens: float) -> None:
        """Return tokens of a write that proved unnecessary."""
        self._level = min(self._burst, self._level + tokens)

    def refused(self, retry_after: float, now: float) -> None:
        """Learn from a refusal: nothing for `retry_after` seconds, and slower from then on."""
        self.level(now)
        self._rate = max(self._ceiling / 8, self._rate / 2)
        self._level = min(self._level, -retry_after * self._rate)

    def seconds_until(self, tokens: float, now: float) -> float:
        """How long until that many are there."""
        return max(0.0, (tokens - self.level(now)) / self._rate)


class Pace(Struct, frozen=True):
    """What a worker begins with."""

    bucket: TokenBucket
    batch_over_at: float
    """By the monotonic clock; minus infinity: there was none."""


def resumed(left: PaceLeft | None, quota: WriteQuota, now: datetime, monotonic: float) -> Pace:
    """The pace of a new worker: tokens that were left, refilled since; else a full bucket."""
    burst, rate = quota.burst, quota.per_second
    if left is None:
        return Pace(TokenBucket(burst, rate, monotonic), float("-inf"))
    level = left.level + max(0.0, (now - left.at).total_seconds()) * rate
    over_at = float("-inf")
    if left.batch_over_at is not None:
        over_at = monotonic - max(0.0, (now - left.batch_over_at).total_seconds())
    return Pace(TokenBucket(burst, rate, monotonic, level), over_at)


def path(system: str) -> str:
    """Where the level of a system's write quota is kept between workers."""
    return f"quotas/{system}"
