"""Where the embedded cloud can be made to fail: around a call, and in what a call began."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct


class CallMoment(StrEnum):
    """On which side of the effect a hook is called."""

    BEFORE = "before"
    AFTER = "after"


Hook = Callable[[str, CallMoment], None]
"""Called with the call's full name (`google.firestore.v1.Firestore/Commit`) and the moment. What
it raises is the answer; what it does (sleep, kill, count) happens at exactly this point."""


class Fate(Struct, frozen=True):
    """What is unusual about the course of one message or one operation."""

    delay: timedelta = timedelta()
    """Cloud time by which it comes, or ends, later."""
    copies: int = 0
    """How often a message is delivered again although it was acknowledged."""
    failure: str = ""
    """Why an operation fails when it is due; empty: it does not."""


ORDINARY_COURSE = Fate()

Oracle = Callable[[str], Fate | None]
"""Asked for `message projects/P/subscriptions/S` and `operation projects/P/locations/R/services/S`;
None: nothing is unusual."""


class FaultHooks:
    """The hooks and oracles of one embedded cloud."""

    def __init__(self) -> None:
        self._hooks: list[Hook] = []
        self._oracles: list[Oracle] = []

    def add(self, hook: Hook) -> None:
        """Ask `hook` around every call from now on."""
        self._hooks = [*self._hooks, hook]

    def remove(self, hook: Hook) -> None:
        """Ask `hook` no more; unknown hooks are ignored."""
        self._hooks = [known for known in self._hooks if known != hook]

    def add_oracle(self, oracle: Oracle) -> None:
        """Let `oracle` say what becomes of messages and operations from now on."""
        self._oracles = [*self._oracles, oracle]

    def remove_oracle(self, oracle: Oracle) -> None:
        """Ask `oracle` no more; unknown oracles are ignored."""
        self._oracles = [known for known in self._oracles if known != oracle]

    @contextmanager
    def around(self, call: str) -> Iterator[None]:
        """Ask the hooks before the body, and again once it has taken effect."""
        for hook in self._hooks:
            hook(call, CallMoment.BEFORE)
        yield
        for hook in self._hooks:
            hook(call, CallMoment.AFTER)

    def fate(self, thing: str) -> Fate:
        """What becomes of a new message or operation: the first oracle that knows says it."""
        for oracle in self._oracles:
            fate = oracle(thing)
            if fate is not None:
                return fate
        return ORDINARY_COURSE
