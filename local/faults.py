"""Where a call into the embedded cloud can be made to fail: before its effect, or after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Moment(StrEnum):
    """On which side of the effect a hook is called."""

    BEFORE = "before"
    AFTER = "after"


Hook = Callable[[str, Moment], None]
"""Called with the call's full name (`google.firestore.v1.Firestore/Commit`) and the moment. What
it raises is the answer; what it does (sleep, kill, count) happens at exactly this point."""


class Faults:
    """The hooks of one embedded cloud, asked around every call."""

    def __init__(self) -> None:
        self._hooks: list[Hook] = []

    def add(self, hook: Hook) -> None:
        """Ask `hook` around every call from now on."""
        self._hooks = [*self._hooks, hook]

    def remove(self, hook: Hook) -> None:
        """Ask `hook` no more; unknown hooks are ignored."""
        self._hooks = [known for known in self._hooks if known != hook]

    @contextmanager
    def around(self, call: str) -> Iterator[None]:
        """Ask the hooks before the body, and again once it has taken effect."""
        for hook in self._hooks:
            hook(call, Moment.BEFORE)
        yield
        for hook in self._hooks:
            hook(call, Moment.AFTER)
