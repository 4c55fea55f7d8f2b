"""Time that passes only when it is told to."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock at `start`; sleeping moves it."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._passed = timedelta(seconds=1000)
        self.interrupt: Callable[[], object] | None = None
        """Is called once, at the beginning of the next sleep."""

    def now(self) -> datetime:
        """The time, aware UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that have passed, from 1000 on; a jump does not move it."""
        return self._passed.total_seconds()

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass, rounded up to microseconds, so that every wait ends."""
        interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            interrupt()
        self.advance(timedelta(microseconds=math.ceil(seconds * 1_000_000)))

    def advance(self, by: timedelta) -> None:
        """Let time pass. Raises: ValueError for a negative step."""
        if by < timedelta():
            raise ValueError("time only passes forward; a wall clock may `jump`")
        self._now += by
        self._passed += by

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back, without time passing."""
        self._now += by
