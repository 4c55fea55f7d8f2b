"""Where a test steps into a fake: before and after every verb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Hook = Callable[[str, str], None]
"""Called with the verb (`store.commit`) and "before" or "after" its effect. What it raises is what
the caller sees at that point: a crash, an error, a lost answer. What it does (another worker's
turn, a person's change, time that passes) happens exactly there."""


def no_hook(verb: str, side: str) -> None:
    """Nothing happens."""


@contextmanager
def around(hook: Hook, verb: str) -> Iterator[None]:
    """Ask the hook before the body, and again once the body has taken effect."""
    hook(verb, "before")
    yield
    hook(verb, "after")
