"""Subscriptions that feed triggers, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from shared.errors import Gone, Rejected
from shared.feeds import AT_ONCE, NO_PUSH, Feed, Message, Told
from shared.ports import Clock
from tests.fakes.hooks import Hook, around, no_hook

ACK_WITHIN = timedelta(minutes=10)
"""Of a function's; of what else is started it is 10 seconds."""
BACKOFF = timedelta(seconds=10)
"""What was in hand and is not acknowledged comes again after it."""


class Kept(Struct):
    """One message of a subscription."""

    handle: str
    told: Told | None
    in_hand_until: datetime
    free_at: datetime
    """When it is delivered, or is so again."""

    def hold(self, until: datetime) -> None:
        """It is in somebody's hands until then."""
        self.in_hand_until, self.free_at = until, until + BACKOFF


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
        self.ack_within = ACK_WITHIN
        self._clock = clock
        self._handles = 0

    def tell(self, name: str, told: Told | None) -> None:
        """One more message comes."""
        now = self._clock.now()
        kept = Kept("", told, now, now)
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
            found.feed = replace(feed, push=push)
            self.deliver()

    def pull(self, name: str) -> list[Message]:
        """The oldest that nobody has in hand. Raises: Rejected where they are pushed."""
        with around(self.hook, "feeds.pull"):
            found, now = self._subscription(name), self._clock.now()
            if found.feed.push != NO_PUSH:
                raise Rejected("FAILED_PRECONDITION: it pushes")
            free = [one for one in found.waiting if one.free_at <= now][:AT_ONCE]
            for one in free:
                self._handles += 1
                one.handle = f"handle-{self._handles}"
                one.hold(now + self.ack_within)
            return [Message(one.handle, one.told) for one in free]

    def acknowledge(self, name: str, handles: Sequence[str]) -> None:
        """They are gone; what is in hand no more comes again."""
        with around(self.hook, "feeds.acknowledge"):
            found, gone = self._subscription(name), self._in_hand(name, handles)
            found.waiting = [one for one in found.waiting if one not in gone]

    def hold(self, name: str, handles: Sequence[str], span: timedelta) -> None:
        """They are in hand so much longer; none: not any more."""
        with around(self.hook, "feeds.hold"):
            for one in self._in_hand(name, handles):
                one.hold(self._clock.now() + span)
            self.deliver()

    def _in_hand(self, name: str, handles: Sequence[str]) -> list[Kept]:
        """Those of these messages that are in hand yet."""
        named, now = {*handles}, self._clock.now()
        waiting = self._subscription(name).waiting
        return [one for one in waiting if one.handle in named and one.in_hand_until > now]

    def _subscription(self, name: str) -> Subscription:
        if name not in self.known:
            raise Gone(f"NOT_FOUND: {name}")
        return self.known[name]
