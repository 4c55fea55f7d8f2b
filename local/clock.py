"""The one clock of the embedded cloud: real, scaled, or moved by hand."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class CloudClock:
    """Cloud time: `origin` plus the wall time since then, times `scale`, plus what `advance` added.

    A scale of 0 stands still until `advance` is called. Every service of the embedded cloud, and
    every process that is wired to it, reads this clock and no other.
    """

    def __init__(self, origin: datetime | None = None, scale: float = 1.0) -> None:
        self._changed = threading.Condition()
        self._origin = origin or datetime.now(UTC)
        self._wall_origin = time.monotonic()
        self._scale = scale

    @property
    def scale(self) -> float:
        """Cloud seconds that pass in one wall second."""
        return self._scale

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
            self._rebase(self._now() + by, self._scale)
            return self._now()

    def rescale(self, scale: float) -> None:
        """Let time pass at another pace from now on, without a jump.

        Raises: ValueError for a negative scale.
        """
        if scale < 0:
            raise ValueError("time cannot run backwards")
        with self._changed:
            self._rebase(self._now(), scale)

    def wait(self, until: datetime, wake: threading.Event | None = None) -> None:
        """Return when the cloud's time has reached `until`, or `wake` is set."""
        with self._changed:
            while not (wake and wake.is_set()):
                remaining = (until - self._now()).total_seconds()
                if remaining <= 0:
                    return
                self._changed.wait(remaining / self._scale if self._scale else None)

    def wake(self) -> None:
        """Make everybody who waits look at their event and at the time again."""
        with self._changed:
            self._changed.notify_all()

    def _now(self) -> datetime:
        elapsed = time.monotonic() - self._wall_origin
        return self._origin + timedelta(seconds=elapsed * self._scale)

    def _rebase(self, origin: datetime, scale: float) -> None:
        self._origin, self._wall_origin, self._scale = origin, time.monotonic(), scale
        self._changed.notify_all()
