"""Calls beside each other in virtual time: so many lanes, and each call takes so long."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, NamedTuple

from shared.core.runtime import Clock


class _Call(NamedTuple):
    ends_at: float
    number: int
    key: str
    run: Callable[[], Any]


class LanePool:
    """A Pool whose calls take effect as they end, `seconds` after a lane was free for them.

    As in the real pool, a `wait` hands out all that has ended by the time that the first of it has.
    """

    def __init__(self, clock: Clock, lanes: int, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._free_at = [clock.monotonic()] * lanes
        self._calls: list[_Call] = []
        self._submitted = 0
        heapify(self._free_at)

    def submit(self, key: str, call: Callable[[], Any]) -> None:
        """Run the call on the first lane that is free."""
        ends_at = max(self._free_at[0], self._clock.monotonic()) + self._seconds
        heapreplace(self._free_at, ends_at)
        self._submitted += 1
        heappush(self._calls, _Call(ends_at, self._submitted, key, call))

    def wait(self, seconds: float) -> list[tuple[str, Any]]:
        """Key and value, or exception, of each call that has ended; empty: none does in time."""
        if not self._calls:
            return []
        left = self._calls[0].ends_at - self._clock.monotonic()
        self._clock.sleep(max(0.0, min(left, seconds)))
        ended = []
        while self._calls and self._calls[0].ends_at <= self._clock.monotonic():
            call = heappop(self._calls)
            ended.append((call.key, self._end(call.run)))
        return ended

    def _end(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # handed to the caller, as the port says
            return error
        except BaseException:  # who waits is dead: no call goes on
            self._calls.clear()
            raise

    def close(self) -> None:
        """Let every call that was submitted end; nobody takes its answer any more."""
        while self._calls:
            self.wait(float("inf"))

    def __len__(self) -> int:
        """Calls submitted whose end was not handed out yet."""
        return len(self._calls)
