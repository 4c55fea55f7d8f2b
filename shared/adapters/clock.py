"""Time: the machine's, or an embedded cloud's."""

import threading
import time
from datetime import UTC, datetime, timedelta

from shared.adapters.embedded_cloud import read_clock
from shared.core import log
from shared.core.codec import FrozenStruct
from shared.core.runtime import Clock

CLOCK_READ_INTERVAL_SECONDS = 0.25
"""Wall time for which a reading of the cloud's clock is carried forward."""
MAX_EXTRAPOLATION_SECONDS = 1.0
"""Cloud time by which it may be ahead of a cloud that has slowed down since."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class _ClockReading(FrozenStruct):
    """The cloud's clock, as it stood at a moment of the wall's."""

    now: datetime
    pace: float
    wall: float


class EmbeddedClock:
    """The clock of an embedded cloud, read from `GET {url}/_cloud/clock`.

    Between readings, at most a quarter of a wall second and `MAX_EXTRAPOLATION_SECONDS` apart, it
    is carried forward at the cloud's pace: a step or a new pace is seen that much later, or at once
    after `follow`. A scale of 0 stands still until somebody advances it. Monotonic time passes as
    the cloud's does. Who sleeps waits at the cloud, which may hurry on meanwhile.
    """

    def __init__(self, url: str, wall: Clock | None = None) -> None:
        self._url = url
        self._wall = wall or SystemClock()
        self._lock = threading.Lock()
        self._latest = self._read()
        self._origin = self._latest.now
        self._passed = 0.0

    def now(self) -> datetime:
        """The cloud's time, aware UTC; never goes back."""
        return self._origin + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Cloud seconds since this clock was made; never goes back."""
        with self._lock:
            if self._wall.monotonic() - self._latest.wall >= CLOCK_READ_INTERVAL_SECONDS or (
                self._elapsed_seconds() > MAX_EXTRAPOLATION_SECONDS
            ):
                self._latest = self._read()
            passed = (self._latest.now - self._origin).total_seconds() + self._elapsed_seconds()
            self._passed = max(self._passed, passed)
            return self._passed

    def sleep(self, seconds: float) -> None:
        """Return after that many cloud seconds."""
        until = self.monotonic() + seconds
        while (remaining := until - self.monotonic()) > 0:
            self._latest = self._read(remaining)

    def follow(self) -> None:
        """Read the cloud's clock now."""
        self._latest = self._read()

    def _elapsed_seconds(self) -> float:
        return (self._wall.monotonic() - self._latest.wall) * self._latest.pace

    def _read(self, wait: float = 0.0) -> _ClockReading:
        """What the cloud answers, once so many cloud seconds are over or a moment of the wall's."""
        answer = read_clock(self._url, wait, log.context_field("message_id"))
        return _ClockReading(datetime.fromisoformat(answer["now"]), answer["pace"], self._wall.monotonic())
