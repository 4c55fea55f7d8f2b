"""Calls that run beside each other, as tasks of their instance."""

from collections.abc import Callable
from typing import Any

from tests.simulation.runtime.scheduler import Instance, Killed, Scheduler, Task


class TaskPool:
    """A Pool: each call is a line of execution of its own."""

    def __init__(self, scheduler: Scheduler, instance: Instance) -> None:
        self._scheduler = scheduler
        self._instance = instance
        self._running = 0
        self._ended: list[tuple[str, Any]] = []
        self._waiter: Task | None = None

    def submit(self, key: str, call: Callable[[], Any]) -> None:
        """Begin the call."""
        self._running += 1
        self._scheduler.spawn(self._instance, lambda: self._run(key, call))

    def wait(self, seconds: float) -> list[tuple[str, Any]]:
        """The ends of calls; waits for the first of them, no longer than that."""
        if not self._ended and self._running:
            self._waiter = self._scheduler.current
            self._scheduler.sleep(seconds)
            self._waiter = None
        ended, self._ended = self._ended, []
        for _, result in ended:
            if isinstance(result, BaseException) and not isinstance(result, Exception):
                raise result
        return ended

    def __len__(self) -> int:
        """Calls whose end was not handed out yet."""
        return self._running + len(self._ended)

    def close(self) -> None:
        """Return when every call has ended. Raises: Killed, in a dead process."""
        while self._running and self._instance.alive:
            self._waiter = self._scheduler.current
            self._scheduler.sleep(60.0)
        self._waiter = None

    def _run(self, key: str, call: Callable[[], Any]) -> None:
        try:
            result = call()
        except Killed:
            raise
        except BaseException as raised:  # handed to the caller, as the port says
            result = raised
        self._running -= 1
        self._ended.append((key, result))
        if self._waiter is not None:
            self._scheduler.wake(self._waiter)
