"""Subscriptions that feed triggers, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from shared.errors import Gone, Rejected
from shared.feeds import AT_ONCE, NO_PUSH, Feed, Message, Told
from shared.ports import Clock
from tests.fakes.hooks import Hook, around, no_hook

ACK_WITHIN = timedelta(minutes=10)


class Kept(Struct):
    """One message of a subscription."""

    handle: str
    told: Told | None
    free_at: datetime
    """In somebody's hands until then."""


class Subscription(Struct):
    """One, and what waits in it."""

    feed: Feed
    waiting: list[Kept] = []
    pushed: list[Told | None] = []
    """What its trigger was told of."""


class FakeFeeds:
    """A Feeds whose subscriptions push as soon as they may.

    Verbs for the hook: feeds.feed, .set_push, .pull, .acknowledge, .hold.
    """

    def __init__(self, clock: Clock, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.known: dict[str, Subscription] = {}
        """By full name."""
        self.may_not_act_as = False
        """Whether a push as any account is refused."""
        self._clock = clock
        self._handles = 0

    def tell(self, name: str, told: Told | None) -> None:
        """One more message comes."""
        self._handles += 1
        kept = Kept(f"handle-{self._handles}", told, self._clock.now())
        self.known[name].waiting.append(kept)
        self.deliver()

    def deliver(self) -> None:
        """Push all that waits, where there is a push and nobody has it in hand."""
        now = self._clock.now()
        for one in self.known.values():
            if one.feed.push != NO_PUSH:
                free = [kept for kept in one.waiting if kept.free_at <= now]
                one.pushed += [kept.told for kept in free]
                one.waiting = [kept for kept in one.waiting if kept not in free]

    def feed(self, name: str) -> Feed:
        """One as it is. Raises: Gone."""
        with around(self.hook, "feeds.feed"):
            return self._subscription(name).feed

    def set_push(self, name: str, push: bytes) -> None:
        """Let it push so from now on. Raises: Gone; Rejected for an account that is not ours."""
        with around(self.hook, "feeds.set_push"):
            found = self._subscription(name)
            if push != NO_PUSH and self.may_not_act_as:
                raise Rejected("PERMISSION_DENIED: iam.serviceAccounts.actAs")
            feed = found.feed
            found.feed = Feed(push, feed.keeps_for, feed.is_dead_lettered)
            self.deliver()

    def pull(self, name: str) -> list[Message]:
        """The oldest that nobody has in hand. Raises: Rejected where they are pushed."""
        with around(self.hook, "feeds.pull"):
            found, now = self._subscription(name), self._clock.now()
            if found.feed.push != NO_PUSH:
                raise Rejected("FAILED_PRECONDITION: it pushes")
            free = [one for one in found.waiting if one.free_at <= now][:AT_ONCE]
            for one in free:
                one.free_at = now + ACK_WITHIN
            return [Message(one.handle, one.told) for one in free]

    def acknowledge(self, name: str, handles: Sequence[str]) -> None:
        """They are gone."""
        with around(self.hook, "feeds.acknowledge"):
            found, gone = self._subscription(name), {*handles}
            found.waiting = [one for one in found.waiting if one.handle not in gone]

    def hold(self, name: str, handles: Sequence[str], span: timedelta) -> None:
        """They are in hand so much longer; none: not any more."""
        with around(self.hook, "feeds.hold"):
            named, until = {*handles}, self._clock.now() + span
            for one in self._subscription(name).waiting:
                if one.handle in named:
                    one.free_at = until
            self.deliver()

    def _subscription(self, name: str) -> Subscription:
        if name not in self.known:
            raise Gone(f"NOT_FOUND: {name}")
        return self.known[name]
