"""The one clock of the embedded cloud: real, scaled, or moved by hand."""

import threading
import time
from datetime import UTC, datetime, timedelta

from local.core.push_activity import PushActivity

MAX_BUSY_SCALE = 1.0
"""Cloud seconds that pass in one wall second, at most, while an endpoint works."""


class CloudClock:
    """Cloud time: `origin` plus the wall time since then, times `pace`, plus what `advance` added.

    The pace is `scale` while everybody waits, and no faster than real time while an endpoint works
    at what was pushed to it: on a slow machine work is no later than it would be on Google. At 0 it
    stands still until `advance` is called. Every service of the embedded cloud, and every process
    that is wired to it, reads this clock and no other.
    """

    def __init__(self, origin: datetime | None = None, scale: float = 1.0) -> None:
        self._changed = threading.Condition()
        self._origin = origin or datetime.now(UTC)
        self._wall_origin = time.monotonic()
        self._scale = scale
        self._is_held_back = False
        self.at_work = PushActivity(self._hold_back)

    @property
    def scale(self) -> float:
        """Cloud seconds that pass in one wall second while everybody waits."""
        return self._scale

    @property
    def pace(self) -> float:
        """Cloud seconds that pass in one wall second now."""
        return min(self._scale, MAX_BUSY_SCALE) if self._is_held_back else self._scale

    def now(self) -> datetime:
        """The cloud's time, aware UTC."""
        with self._changed:
            return self._now()

    def advance(self, by: timedelta) -> datetime:
        """Move the clock forward and wake everybody who waits on it; the new time.

        Raises: ValueError for a negative step.
        """
        if by < timedelta():
            raise ValueError("the cloud's clock only moves forward")
        with self._changed:
            self._rebase(self._now() + by)
            return self._now()

    def rescale(self, scale: float) -> None:
        """Let time pass at another scale from now on, without a jump.

        Raises: ValueError for a negative scale.
        """
        if scale < 0:
            raise ValueError("time cannot run backwards")
        with self._changed:
            self._rebase(self._now())
            self._scale = scale

    def wait(
        self,
        until: datetime,
        wake: threading.Event | None = None,
        at_most_seconds: float = threading.TIMEOUT_MAX,
    ) -> None:
        """Return when the cloud's time has reached `until`, or `wake` is set.

        And after `at_most_seconds` of wall time.
        """
        give_up_at = time.monotonic() + at_most_seconds
        with self._changed:
            while not (wake and wake.is_set()):
                remaining = (until - self._now()).total_seconds()
                patience = min(give_up_at - time.monotonic(), threading.TIMEOUT_MAX)
                if remaining <= 0 or patience <= 0:
                    return
                self._changed.wait(min(remaining / self.pace, patience) if self.pace else patience)

    def wake(self) -> None:
        """Make everybody who waits look at their event and at the time again."""
        with self._changed:
            self._changed.notify_all()

    def _hold_back(self, is_held_back: bool) -> None:
        """Whether anybody works, from now on."""
        with self._changed:
            if is_held_back != self._is_held_back:
                self._rebase(self._now())
                self._is_held_back = is_held_back

    def _now(self) -> datetime:
        elapsed = time.monotonic() - self._wall_origin
        return self._origin + timedelta(seconds=elapsed * self.pace)

    def _rebase(self, origin: datetime) -> None:
        self._origin, self._wall_origin = origin, time.monotonic()
        self._changed.notify_all()
