"""What comes to silent subscriptions, pulled: what is ours is acknowledged, and nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from responders.upholding import WORK_FOR_SECONDS
from shared import journals
from shared import silence as silences
from shared.documents import decode
from shared.errors import RollbackError
from shared.feeds import Message
from shared.ports import Ports
from shared.quarantine import Entry
from shared.silence import Listener, Ours, Silence

LISTEN_FOR_SECONDS: Final = 70.0
"""Of its time a worker pulls so long, and then lets go of what it has in hand."""
PULL_FOR_SECONDS: Final = 10.0
"""So much of it between two commits."""
HELD_FOR: Final = timedelta(seconds=WORK_FOR_SECONDS + 60)
"""What was pulled stays in hand for as long as a worker lives, and a while longer if it dies."""
MOST_HELD: Final = 100_000
"""So many messages that are not ours one worker has in hand: then it pulls no more."""


class Listening:
    """What one worker hears and has in hand, for the length of one invocation."""

    def __init__(self, ports: Ports, known: Callable[[Entry], Entry]) -> None:
        """`known` completes an entry of the journal by what stands there, where it can be seen."""
        self._ports = ports
        self._known = known
        began = ports.clock.monotonic()
        self._until = began + LISTEN_FOR_SECONDS
        self._sure_until = began + WORK_FOR_SECONDS
        """What it has pulled nobody else has until then, and longer."""
        self._ours: Ours | None = None
        self._seen: set[tuple[str, int]] = set()
        self._held: dict[str, list[str]] = defaultdict(list)
        """What is not ours, by subscription."""
        self._mine: dict[str, dict[str, int]] = defaultdict(dict)
        """What is ours and may not be acknowledged yet: its key by its handle."""
        self._unanswered: set[str] = set()
        """Subscriptions that gave no answer: they are asked after the others."""
        self.has_begun = False
        """Whether it is on record that it pulls."""

    @property
    def is_over(self) -> bool:
        """Whether it pulls no more."""
        return self._ports.clock.monotonic() >= self._until

    def ours(self, silence: Silence) -> Ours:
        """What is ours of the events, by the journal, which is complete. Raises: Unavailable."""
        if self._ours is None:
            entries = journals.behind(self._ports.store, silence.rollback)
            known = (self._known(decode(Entry, one.fields)) for _, one in entries)
            self._ours = silences.ours(silence, known)
        return self._ours

    def hear(
        self, silence: Silence, listeners: Iterable[Listener]
    ) -> tuple[Counter[str], RollbackError | None]:
        """How many events of ours came that were not seen before, by subscription.

        And why not all that waits was pulled; None: nothing seems to wait, or its time is over.
        """
        counts, failure = Counter[str](), None
        until = self._ports.clock.monotonic() + PULL_FOR_SECONDS
        ours = self.ours(silence)
        turns = deque(sorted(listeners, key=lambda one: one.subscription in self._unanswered))
        while turns and self._ports.clock.monotonic() < until:
            one = turns.popleft()
            try:
                if self._heard(one, ours, counts):
                    turns.append(one)
            except RollbackError as unanswered:
                self._unanswered.add(one.subscription)
                failure = unanswered
        return counts, failure

    def let_go(self) -> None:
        """What it has in hand is the subscriptions' again. Raises: Unavailable, Rejected."""
        for name in self._held.keys() | self._mine.keys():
            handles = [*self._held.pop(name, ()), *self._mine.pop(name, ())]
            self._ports.feeds.hold(name, handles, timedelta())

    def _heard(self, listener: Listener, ours: Ours, counts: Counter[str]) -> bool:
        """Whether more may wait behind what was pulled now."""
        feeds, name = self._ports.feeds, listener.subscription
        self._acknowledge(name, counts)
        if len(self._held[name]) >= MOST_HELD:
            return False
        messages = feeds.pull(name)
        if not messages:
            return False
        keys = {one.handle: _key(listener, ours, one) for one in messages}
        self._held[name] += [handle for handle, key in keys.items() if key is None]
        feeds.hold(name, [*keys], HELD_FOR)
        self._mine[name] |= {handle: key for handle, key in keys.items() if key is not None}
        self._acknowledge(name, counts)
        return True

    def _acknowledge(self, name: str, counts: Counter[str]) -> None:
        """What is ours is kept no longer; where that fails, it is in hand yet, and tried again.

        An acknowledgement by whoever has a message in hand no more is heard, and does nothing.
        """
        mine = self._mine[name]
        if not mine:
            return
        self._ports.feeds.acknowledge(name, [*mine])
        if self._ports.clock.monotonic() > self._sure_until:  # it stood still: they come again
            mine.clear()
            return
        new = {(name, key) for key in mine.values()} - self._seen
        counts[name] += len(new)
        self._seen |= new
        mine.clear()


def _key(listener: Listener, ours: Ours, message: Message) -> int | None:
    """By what it is known as one that the listener is told nothing of; None: it is told of it."""
    told = message.told
    if told is None or told.key not in ours.keys or not silences.is_ours_to_keep(listener, told):
        return None
    return told.key
