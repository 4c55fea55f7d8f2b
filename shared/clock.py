"""Time: the machine's, or an embedded cloud's."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from shared.local_cloud import clock_of
from shared.ports import Clock

READ_EVERY_SECONDS = 0.25
"""Wall time for which a reading of the cloud's clock is carried forward."""
_LOOK_EVERY_SECONDS = 0.05


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        time.sleep(max(0.0, seconds))


class _Reading(Struct, frozen=True):
    """The cloud's clock, as it stood at a moment of the wall's."""

    now: datetime
    scale: float
    wall: float


class FollowedClock:
    """The clock of an embedded cloud, read from `GET {url}/_cloud/clock`.

    Between readings, at most a quarter of a wall second apart, it is carried forward at the cloud's
    scale: a step or a new scale is seen that much later, or at once after `follow`. A scale of 0
    stands still until somebody advances it. Monotonic time passes as the cloud's does.
    """

    def __init__(self, url: str, wall: Clock | None = None) -> None:
        self._url = url
        self._wall = wall or SystemClock()
        self._lock = threading.Lock()
        self._latest = self._read()
        self._origin = self._latest.now
        self._passed = 0.0

    def now(self) -> datetime:
        """The cloud's time, aware UTC."""
        with self._lock:
            return self._now()

    def monotonic(self) -> float:
        """Cloud seconds since this clock was made; never goes back."""
        with self._lock:
            self._passed = max(self._passed, (self._now() - self._origin).total_seconds())
            return self._passed

    def sleep(self, seconds: float) -> None:
        """Return after that many cloud seconds."""
        until = self.monotonic() + seconds
        while (remaining := until - self.monotonic()) > 0:
            scale = self._latest.scale
            wall = remaining / scale if scale else _LOOK_EVERY_SECONDS
            self._wall.sleep(min(wall, READ_EVERY_SECONDS))
            if not scale:
                self.follow()

    def pace(self) -> float:
        """Cloud seconds per wall second, as last read."""
        return self._latest.scale

    def follow(self) -> None:
        """Read the cloud's clock now."""
        with self._lock:
            self._latest = self._read()

    def _now(self) -> datetime:
        if self._wall.monotonic() - self._latest.wall >= READ_EVERY_SECONDS:
            self._latest = self._read()
        elapsed = self._wall.monotonic() - self._latest.wall
        return self._latest.now + timedelta(seconds=elapsed * self._latest.scale)

    def _read(self) -> _Reading:
        """What the cloud answers, placed at the middle of the time that the question took."""
        asked = self._wall.monotonic()
        answer = clock_of(self._url)
        answered = self._wall.monotonic()
        now = datetime.fromisoformat(answer["now"])
        return _Reading(now, float(answer["scale"]), (asked + answered) / 2)
