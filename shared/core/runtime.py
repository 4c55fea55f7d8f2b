"""Ports to the runtime: the clock and the pool of threads."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """The time, aware UTC; may jump."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


Ids = Callable[[], str]
"""A new id on each call, never the same twice."""


class Pool(Protocol):
    """Calls that run beside each other, each with a deadline of its own."""

    def submit(self, key: str, call: Callable[[], Any]) -> None:
        """Run the call; its end is one item of a later `wait`."""

    def wait(self, seconds: float) -> list[tuple[str, Any]]:
        """Return key and value or exception of ended calls; wait so long for a first, if any."""

    def __len__(self) -> int:
        """Calls submitted whose end was not handed out yet."""

    def close(self) -> None:
        """Return when every call has ended."""
