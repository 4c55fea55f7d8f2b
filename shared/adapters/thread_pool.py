"""Calls beside each other on threads of our own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

from shared.core.runtime import Clock

_POLL_INTERVAL_SECONDS = 0.02
"""Wall time between looks at the clock, which need not be the wall's."""


class ThreadPool:
    """A Pool of at most `workers` calls at a time; further ones wait their turn.

    Its threads outlive no `close`: nothing of an invocation goes on behind its answer. Deadlines
    are the calls' own, a thread cannot be stopped from outside.
    """

    def __init__(self, workers: int, clock: Clock) -> None:
        self._clock = clock
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="pool")
        self._ended: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._outstanding = 0

    def submit(self, key: str, call: Callable[[], Any]) -> None:
        self._outstanding += 1
        self._threads.submit(self._run, key, call)

    def wait(self, seconds: float) -> list[tuple[str, Any]]:
        """Return ended calls' key and value or exception; raise one that is no Exception."""
        if not self._outstanding:
            return []
        until = self._clock.monotonic() + seconds
        ended = self._collect_ended()
        while not ended and self._clock.monotonic() < until:
            ended = self._collect_ended(_POLL_INTERVAL_SECONDS)
        self._outstanding -= len(ended)
        for _, value in ended:
            if isinstance(value, BaseException) and not isinstance(value, Exception):
                raise value
        return ended

    def close(self) -> None:
        """Return when every call has ended; those that had not begun never do."""
        self._threads.shutdown(cancel_futures=True)

    def __len__(self) -> int:
        return self._outstanding

    def _run(self, key: str, call: Callable[[], Any]) -> None:
        try:
            value = call()
        except BaseException as error:  # carried to the thread that waits, which raises or judges
            value = error
        self._ended.put((key, value))

    def _collect_ended(self, seconds: float = 0.0) -> list[tuple[str, Any]]:
        """What has ended; waits that long for the first of it."""
        ended = []
        try:
            ended.append(self._ended.get(timeout=seconds) if seconds else self._ended.get_nowait())
            while True:
                ended.append(self._ended.get_nowait())
        except Empty:
            return ended
