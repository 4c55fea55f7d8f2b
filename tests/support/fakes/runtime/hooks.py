"""Where a test steps into a fake: before and after every verb."""

from collections.abc import Callable
from types import TracebackType

Hook = Callable[[str, str], None]
"""Called with the verb (`store.commit`) and "before" or "after" its effect. What it raises is what
the caller sees at that point: a crash, an error, a lost answer. What it does (another worker's
turn, a person's change, time that passes) happens exactly there."""


def no_hook(verb: str, side: str) -> None:
    """Nothing happens."""


def raise_error(verb: str, error: BaseException, side: str = "before") -> Hook:
    """That error, each time that the verb is asked for."""

    def hook(called: str, when: str) -> None:
        if (called, when) == (verb, side):
            raise error.with_traceback(None)

    return hook


def run_once(verb: str, side: str, act: Callable[[], None]) -> Hook:
    """Something happens, the first time that the verb is asked for."""
    done: list[bool] = []

    def hook(called: str, when: str) -> None:
        if (called, when) == (verb, side) and not done:
            done.append(True)
            act()

    return hook


class ask_hook_around:  # noqa: N801 - reads as what it does
    """Asks the hook before the body, and again once the body has taken effect.

    A class, because a generator costs more than most verbs do.
    """

    __slots__ = ("_hook", "_verb")

    def __init__(self, hook: Hook, verb: str) -> None:
        self._hook = hook
        self._verb = verb

    def __enter__(self) -> None:
        self._hook(self._verb, "before")

    def __exit__(self, kind: type[BaseException] | None, raised: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._hook(self._verb, "after")
