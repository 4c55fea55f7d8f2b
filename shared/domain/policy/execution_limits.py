"""How fast and how patiently a rollback is carried out, as declared."""

from __future__ import annotations

from datetime import timedelta

from shared.core.codec import FrozenStruct


class WriteQuota(FrozenStruct):
    """Writes that the platform admits per project and region: a token bucket."""

    burst: int = 60
    per_second: float = 1.0
    share: float = 1.0

    @property
    def system_share(self) -> WriteQuota:
        """This system's part, as a quota of its own; never less than a write at once."""
        return WriteQuota(max(1, int(self.burst * self.share)), self.per_second * self.share)


class Execution(FrozenStruct):
    """How a rollback is carried out."""

    canary_probes: int = 5
    canary_within: timedelta = timedelta(seconds=60)
    write_quota: WriteQuota = WriteQuota()
    batch_size: int | None = None
    delay: timedelta = timedelta(0)
    step_attempts: int = 5
    step_within: timedelta = timedelta(minutes=5)
    rebuild_within: timedelta = timedelta(minutes=15)
    confirm_within: timedelta = timedelta(minutes=3)
    verify_within: timedelta = timedelta(minutes=5)
    """The same for what routers count: it is known up to 3 minutes later."""
    cleared_within: timedelta = timedelta(minutes=30)
    watch: timedelta = timedelta(minutes=30)
    watch_every: timedelta = timedelta(minutes=1)
    bake: timedelta = timedelta(minutes=30)
