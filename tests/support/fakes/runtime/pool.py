"""Calls that would run beside each other, run one after the other."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from shared.core.runtime import Clock


class _Submitted(NamedTuple):
    due: float
    key: str
    call: Callable[[], Any]


class InlinePool:
    """A Pool without threads: a `wait` runs one call, whole, and hands out its end.

    A call ends `latency_seconds` after it was submitted, and takes its effect then. Calls run in
    order of submission, or as `random` picks them. As in the real pool, an Exception is handed
    out as a value; anything else (a lost rollback, a crash) is raised.
    """

    def __init__(self, clock: Clock, random: Random | None = None, *, latency_seconds: float = 0.0) -> None:
        self.latency_seconds = latency_seconds
        self._clock = clock
        self._random = random
        self._submitted: list[_Submitted] = []

    def submit(self, key: str, call: Callable[[], Any]) -> None:
        """Run the call in a later `wait`."""
        due = self._clock.monotonic() + self.latency_seconds
        self._submitted.append(_Submitted(due, key, call))

    def wait(self, seconds: float) -> list[tuple[str, Any]]:
        """The end of one call, as a list; empty when none ends within that time."""
        if not self._submitted:
            return []
        chosen = self._random.randrange(len(self._submitted)) if self._random else 0
        remaining = self._submitted[chosen].due - self._clock.monotonic()
        if remaining > seconds:
            self._clock.sleep(seconds)
            return []
        self._clock.sleep(max(0.0, remaining))
        submitted = self._submitted.pop(chosen)
        try:
            return [(submitted.key, submitted.call())]
        except Exception as error:  # handed to the caller, as the port says
            return [(submitted.key, error)]

    def close(self) -> None:
        """Let every call that was submitted end; nobody takes its answer any more."""
        while self._submitted:
            self.wait(float("inf"))

    def __len__(self) -> int:
        """Calls submitted whose end was not handed out yet."""
        return len(self._submitted)
