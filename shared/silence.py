"""A silence: what hears of documents is told of nothing, and then of all that is not ours. Pure.

One document for each system, `fences/{system}:silence`: its newest one. What pushes events to whom
is on record before the first push is taken away, and is given back whatever comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared import fence as fences
from shared.documents import decode
from shared.feeds import NO_PUSH, Feed, Told
from shared.plan import Step
from shared.quarantine import Entry
from shared.triggers import Change, Hearer
from shared.upheld import SENT_WITHIN, Status, Upheld
from shared.versions import REWRITE_SECONDS, covers

SETTLES: Final = timedelta(minutes=1)
"""So long after the last push was seen to be taken away one may be under way."""
STANDS_WITHIN: Final = timedelta(minutes=5)
"""Else it falls."""
LONGEST: Final = timedelta(hours=2)
"""Then it falls, whatever goes on meanwhile."""
KEEPS_FOR: Final = timedelta(hours=12)
"""What a subscription keeps for less may be lost, as it is pushed again after failures, too."""
SEEN_WITHIN: Final = timedelta(minutes=1)
"""So long after the last event of ours another one is waited for."""
IN_HANDS: Final = timedelta(minutes=11)
"""What whoever died had pulled comes again by then: an acknowledgement is waited for at most ten
(`ack_deadline_seconds` of google/pubsub/v1/pubsub.proto, read 2026-11-27)."""
LANDED_WITHIN: Final = timedelta(seconds=2 * REWRITE_SECONDS)
"""So long after it was to fall a write may land that was on its way, and be told in the journal."""
ENDS_WITHIN: Final = timedelta(minutes=15)
"""So long after it was to fall the end of its rollback is waited for: a pause may hold that up."""
GIVEN_BACK_WITHIN: Final = timedelta(minutes=30)
"""So long after it was to fall the pushes are given back, whatever was seen until then."""
STUCK_AFTER: Final = GIVEN_BACK_WITHIN + timedelta(minutes=5)
"""A silence that has not fallen by then is told."""


class Listener(Struct, frozen=True):
    """One that hears of documents, and how it is told."""

    hearer: Hearer
    push: bytes = NO_PUSH
    """The push configuration of its subscription, verbatim; none: nobody has looked yet."""
    by_hand: str = ""
    """The same as flags of gcloud."""
    expected: int = 0
    """How many events of ours there must be for it."""
    kept_from: int = 0
    """How many of them it was not told of, and will not be."""

    @property
    def subscription(self) -> str:
        """Full name."""
        return self.hearer.subscription

    @property
    def command(self) -> str:
        """By which a person gives it back where nothing of ours runs; empty: nobody has looked."""
        verb = "gcloud pubsub subscriptions modify-push-config"
        return f"{verb} {self.subscription} {self.by_hand}" if self.by_hand else ""

    @property
    def missing(self) -> int:
        """How many events of ours have not come."""
        return max(0, self.expected - self.kept_from)


class Silence(Upheld, frozen=True):
    """One silence, and what came of it."""

    listeners: tuple[Listener, ...] = ()
    """Who is told nothing, and how each is told else."""
    taken_at: datetime | None = None
    """When all pushes were seen to be taken away."""
    heard_at: datetime | None = None
    """When an event of ours was seen last."""
    unnamed: int = 0
    """How many events of ours there may be beyond those expected, and nobody knows for whom."""
    in_hands_until: datetime | None = None
    """What a worker is pulling has come again by then, should it die; None: nobody pulls."""
    gives_back_at: datetime | None = None
    """When a worker was about to give the pushes back, all having been heard."""
    lost_until: datetime | None = None
    """What somebody has pulled and nobody has any more has come again by then."""

    @property
    def is_seen(self) -> bool:
        """Whether it is on record how each of them is told."""
        return all(one.push != NO_PUSH for one in self.listeners)

    @property
    def over_by(self) -> datetime:
        """The pushes are given back by then at the latest, or people are told that they are not."""
        return _over_by(self.falls_at or self.until)

    @property
    def names(self) -> str:
        """Who is told nothing."""
        return _names(self.listeners)

    @property
    def missing(self) -> int:
        """How many events of ours have not come, of all together."""
        return sum(one.missing for one in self.listeners)


class Stand(Struct, frozen=True):
    """How the listeners are told now."""

    told: tuple[Listener, ...] = ()
    """As they were before."""
    silent: tuple[Listener, ...] = ()
    theirs: tuple[str, ...] = ()


class Ours(Struct, frozen=True):
    """What a rollback has written, as its events tell of it."""

    keys: frozenset[int]
    """`Told.key` of each."""
    expected: Mapping[str, int]
    """How many of them there must be, by subscription."""
    unnamed: int = 0
    """How many more there may be, of documents that are named nowhere."""


def path(system: str) -> str:
    """Where the newest silence of a system is kept: with its fence, where those are looked for."""
    return f"{fences.path(system)}:silence"


def listeners(steps: Iterable[Step]) -> tuple[Listener, ...]:
    """Those that a plan wants to be told nothing, each with every scope that it names."""
    found: dict[str, Hearer] = {}
    for step in steps:
        for hearer in decode(tuple[Hearer, ...], step.goal.get("silenced", ())):
            known = found.get(hearer.subscription, replace(hearer, scopes=()))
            scopes = dict.fromkeys((*known.scopes, *hearer.scopes))
            found[hearer.subscription] = replace(known, scopes=tuple(scopes))
    return tuple(Listener(found[name]) for name in sorted(found))


def promise(listeners: Iterable[Listener], until: datetime) -> str:
    """What is said where one is raised that falls then: it takes a while to be over."""
    over_by = _over_by(until)
    return f"{_names(listeners)} are told of no document until {over_by:%H:%M} UTC at most"


def _over_by(falls_at: datetime) -> datetime:
    return falls_at + STUCK_AFTER


def _names(listeners: Iterable[Listener]) -> str:
    return ", ".join(one.hearer.name for one in listeners)


def why_not(feed: Feed) -> str:
    """Why such a subscription can be made to push nothing for a while; empty: it can."""
    if feed.push == NO_PUSH:
        return "its subscription pushes nothing"
    if feed.is_dead_lettered:
        return "its subscription has a dead letter policy"
    if feed.keeps_for < KEEPS_FOR:
        return f"its subscription keeps messages for {feed.keeps_for} only"
    return ""


def seen(silence: Silence, feeds: Mapping[str, Feed]) -> Silence:
    """The silence with how each listener is told, on record before any push is taken away."""
    listeners = []
    for one in silence.listeners:
        feed = feeds[one.subscription]
        listeners.append(replace(one, push=feed.push, by_hand=feed.by_hand))
    return replace(silence, listeners=tuple(listeners), waiting="")


def stand(listeners: Iterable[Listener], feeds: Mapping[str, Feed]) -> Stand:
    """How each is told, by its subscription as it was just read; one that is gone is somebody's."""
    told, silent, theirs = list[Listener](), list[Listener](), list[str]()
    for one in listeners:
        feed = feeds.get(one.subscription)
        if feed is not None and feed.push == one.push:
            told.append(one)
        elif feed is not None and feed.push == NO_PUSH:
            silent.append(one)
        else:
            theirs.append(one.hearer.name)
    return Stand(tuple(told), tuple(silent), tuple(theirs))


def taken(silence: Silence, now: datetime) -> Silence:
    """The silence, every push of which is taken away; it stands once that has settled."""
    taken_at = silence.taken_at or now
    if now < taken_at + SETTLES:
        return replace(silence, taken_at=taken_at, waiting="what is being pushed comes to its end")
    return replace(silence, taken_at=taken_at, status=Status.STANDING, stood_at=now, waiting="")


def ours(silence: Silence, entries: Iterable[Entry]) -> Ours:
    """What is known of the events by a rollback's journal."""
    keys, expected = set[int](), dict.fromkeys((one.subscription for one in silence.listeners), 0)
    unnamed = 0
    for entry in entries:
        keys.update(entry.events)
        unnamed += len(entry.events)
        for told, change in _changes(entry):
            keys.add(told.key)
            for one in silence.listeners:
                if is_ours_to_keep(one, told) and one.hearer.hears(told.path, change):
                    expected[one.subscription] += 1
    return Ours(frozenset(keys), expected, unnamed)


def _changes(entry: Entry) -> Iterator[tuple[Told, Change]]:
    """What each document that a batch has written became."""
    for one in entry.landed:
        if one.at == one.was:  # it was so already: its event is that of whoever wrote it
            continue
        if one.at is not None:
            change = Change.CREATED if one.was is None else Change.UPDATED
            yield Told(entry.database, one.path, one.at), change
        elif one.was is not None:
            yield Told(entry.database, one.path, one.was, is_gone=True), Change.DELETED


def is_ours_to_keep(listener: Listener, told: Told) -> bool:
    """Whether the listener is told nothing of that document, where it was us."""
    return any(covers(scope, told.path) for scope in listener.hearer.scopes)


def heard(silence: Silence, counts: Mapping[str, int], ours: Ours, now: datetime) -> Silence:
    """The silence after so many events of ours more, by subscription."""
    known = tuple(
        replace(
            one,
            expected=ours.expected[one.subscription],
            kept_from=one.kept_from + counts.get(one.subscription, 0),
        )
        for one in silence.listeners
    )
    heard_at = now if any(counts.values()) else silence.heard_at
    return replace(silence, listeners=known, heard_at=heard_at, unnamed=ours.unnamed)


def not_over(silence: Silence) -> str:
    """Why another one cannot be raised."""
    return f"the silence of {silence.rollback} is not over: {silence.waiting or silence.why}"


def shown(silence: Silence) -> Silence:
    """What people may read of it: how something is pushed may hold a secret."""
    listeners = (replace(one, push=NO_PUSH, by_hand="") for one in silence.listeners)
    return replace(silence, listeners=tuple(listeners))


def is_end_awaited(silence: Silence, now: datetime) -> bool:
    """Whether nothing is pulled before its rollback has ended."""
    return silence.falls_at is not None and now < silence.falls_at + ENDS_WITHIN


def may_listen(silence: Silence, now: datetime) -> bool:
    """Whether the journal says by now what is ours."""
    return silence.falls_at is not None and now >= silence.falls_at + LANDED_WITHIN


def pulled(silence: Silence, now: datetime) -> Silence:
    """The silence of which a worker pulls messages from now on."""
    return replace(silence, in_hands_until=now + IN_HANDS)


def taken_over(silence: Silence, now: datetime) -> Silence:
    """The same by another worker: what one before has in hand is waited for."""
    return pulled(replace(silence, lost_until=silence.in_hands_until or silence.lost_until), now)


def lost(silence: Silence, now: datetime) -> Silence:
    """The silence of which an answer was lost, and what came in it."""
    return replace(silence, lost_until=now + IN_HANDS)


def gives_back(silence: Silence, now: datetime) -> Silence:
    """The silence of which the pushes are given back next: on record before, as what takes them."""
    waiting = "pushes are about to be given back"
    return replace(silence, gives_back_at=now, waiting=waiting)


def may_give_back(silence: Silence, now: datetime) -> bool:
    """Whether that is on record, and not too old: whoever has lost the silence sends nothing."""
    at = silence.gives_back_at
    return is_overdue(silence, now) or (at is not None and now < at + SENT_WITHIN)


def let_go(silence: Silence) -> Silence:
    """The silence of which nobody has anything in hand."""
    return replace(silence, in_hands_until=None, gives_back_at=None)


def is_heard_out(silence: Silence, now: datetime) -> bool:
    """Whether no further event of ours is waited for."""
    if is_overdue(silence, now) or not (silence.missing or silence.unnamed):
        return True
    known = [one for one in (silence.falls_at, silence.heard_at) if one is not None]
    until = max(known) + SEEN_WITHIN
    return now >= max(until, silence.lost_until or until)


def is_overdue(silence: Silence, now: datetime) -> bool:
    """Whether the pushes are given back now, whatever was seen."""
    return silence.falls_at is not None and now >= silence.falls_at + GIVEN_BACK_WITHIN
