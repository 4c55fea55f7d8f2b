"""Where a test steps into a fake: before and after every verb."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

Hook = Callable[[str, str], None]
"""Called with the verb (`store.commit`) and "before" or "after" its effect. What it raises is what
the caller sees at that point: a crash, an error, a lost answer. What it does (another worker's
turn, a person's change, time that passes) happens exactly there."""


def no_hook(verb: str, side: str) -> None:
    """Nothing happens."""


class around:  # noqa: N801 - reads as what it does
    """Asks the hook before the body, and again once the body has taken effect.

    A class, because a generator costs more than most verbs do.
    """

    __slots__ = ("_hook", "_verb")

    def __init__(self, hook: Hook, verb: str) -> None:
        self._hook = hook
        self._verb = verb

    def __enter__(self) -> None:
        self._hook(self._verb, "before")

    def __exit__(
        self, kind: type[BaseException] | None, raised: object, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._hook(self._verb, "after")
