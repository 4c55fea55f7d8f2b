"""The write quota as we believe it to be: a token bucket that learns from refusals."""

from datetime import datetime

from shared.core.codec import FrozenStruct, StoredDocument, documents_of
from shared.domain.policy.execution_limits import WriteQuota

ROUNDING_TOLERANCE = 1e-9
"""What binary fractions lose: a caller that waited as told must not find the bucket just short."""
quota_path = documents_of("quotas")
"""Where the level of a system's write quota is kept between workers."""


class SavedPace(StoredDocument):
    """How fast a system's next worker may go on, as its last one left it."""

    level: float
    """Tokens of the write quota."""
    at: datetime
    batch_over_at: datetime | None = None
    """When the last batch ended; its pause counts from there."""
    set_apart: float = 0.0
    """Tokens of effects that may have been sent since; returned where they were not."""
    per_second: float | None = None
    """The rate that the last one had learnt; None: the declared one."""


class TokenBucket:
    """Admits `burst` writes at once and `rate` per second after; slower when refusals cluster.

    The real shape of Google's quota is uncertain (fixed minutes are possible), and a service also
    refuses for reasons of its own. So each refusal closes the bucket for as long as the service
    says; what flows in meanwhile makes no new burst. One by itself means no more than that. Where
    refusals cluster, the quota is tighter than believed: the bucket is emptied and its rate halved,
    and each write that is accepted afterwards gives a little back (additive increase,
    multiplicative decrease).
    """

    RECOVERY_PER_WRITE = 0.02
    PAUSED_BURST = 2.0
    """Tokens that a pause may leave: whoever asks for one counts otherwise than we do."""
    CLUSTER = 2.0
    FORGIVEN_PER_WRITE = 1 / 6
    """Two refusals with fewer than six accepted writes between them are a cluster: the odds of
    that are seven to one for a quota which refuses a third, against noise that refuses 5 %."""

    def __init__(
        self,
        burst: float,
        rate: float,
        now: float,
        level: float | None = None,
        learnt_rate: float | None = None,
    ) -> None:
        """Begin with `level` tokens, full when None; `now` and all times are monotonic seconds."""
        self._burst = burst
        self._ceiling = rate
        self._rate = min(rate, learnt_rate or rate)
        self._level = burst if level is None else min(level, burst)
        self._at = now
        self._closed_until = now
        self._suspicion = 0.0

    @property
    def rate(self) -> float:
        """Tokens per second, as learnt."""
        return self._rate

    def level(self, now: float) -> float:
        """Tokens there are now; negative while some are owed."""
        if self._at < self._closed_until and now > self._at:
            self._refill(min(now, self._closed_until), max(self._level, self.PAUSED_BURST))
        if now > self._at:
            self._refill(now, self._burst)
        return self._level

    def _refill(self, until: float, most: float) -> None:
        self._level = min(most, self._level + (until - self._at) * self._rate)
        self._at = until

    def take(self, tokens: float, now: float) -> bool:
        """Whether that many were there; they are spent then."""
        if now < self._closed_until - ROUNDING_TOLERANCE or self.level(now) < tokens - ROUNDING_TOLERANCE:
            return False
        self._level -= tokens
        return True

    def give_back(self, tokens: float) -> None:
        """Return tokens of a write that proved unnecessary."""
        self._level = min(self._burst, self._level + tokens)

    def record_success(self, tokens: float) -> None:
        """Learn that writes were taken: a little faster again."""
        self._suspicion = max(0.0, self._suspicion - self.FORGIVEN_PER_WRITE)
        self._rate = min(self._ceiling, self._rate + self.RECOVERY_PER_WRITE * tokens)

    def record_refusal(self, retry_after: float, now: float) -> None:
        """Learn from a refusal: nothing for `retry_after` seconds, and slower if it is one more."""
        level = self.level(now)
        self._closed_until = max(self._closed_until, now + retry_after)
        self._suspicion += 1.0
        if self._suspicion >= self.CLUSTER:
            self._suspicion = 0.0
            self._level = min(level, 0.0)
            self._rate = max(self._ceiling / 8, self._rate / 2)

    def seconds_until(self, tokens: float, now: float) -> float:
        """How long until that many are there."""
        return max(0.0, self._closed_until - now, (tokens - self.level(now)) / self._rate)


class Pace(FrozenStruct):
    """What a worker begins with."""

    bucket: TokenBucket
    batch_over_at: float
    """By the monotonic clock; minus infinity: there was none."""


def resume_pace(left: SavedPace | None, quota: WriteQuota, now: datetime, monotonic: float) -> Pace:
    """The pace of a new worker: tokens that were left, refilled since; else a full bucket."""
    burst, rate = quota.burst, quota.per_second
    if left is None:
        return Pace(TokenBucket(burst, rate, monotonic), float("-inf"))
    passed = max(0.0, (now - left.at).total_seconds())
    level = min(burst, left.level + passed * (left.per_second or rate)) - left.set_apart
    over_at = float("-inf")
    if left.batch_over_at is not None:
        over_at = monotonic - max(0.0, (now - left.batch_over_at).total_seconds())
    return Pace(TokenBucket(burst, rate, monotonic, level, left.per_second), over_at)
