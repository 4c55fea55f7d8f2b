"""How a silence is raised and kept up: for as long as its rollback writes documents.

How each listener is told is on record before the first push is taken away, and so is that it may be
given back: each is asked beforehand to be as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from msgspec.structs import replace

from responders.asking import ask_all
from responders.repairs import taking_out_later
from responders.silences.falling import Falling
from responders.silences.listening import Listening
from responders.switched import is_stopped
from shared import command as commands
from shared import rollback as rollbacks
from shared import silence as silences
from shared import upheld
from shared.command import CommandRecord
from shared.documents import decode
from shared.errors import Rejected, RollbackError, Unavailable
from shared.feeds import NO_PUSH, Feed
from shared.policy import Policy
from shared.ports import Document, Ports
from shared.rollback import Rollback
from shared.rollback import Status as RollbackStatus
from shared.silence import Listener, Silence
from shared.upheld import Status

FRESH_SECONDS: Final = 20.0
"""Nothing is taken away by what was read longer ago."""


class Raising(Falling):
    """One look at a silence whose policy is there, and what it takes."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        silence: Silence,
        found: Document,
        listening: Listening,
    ) -> None:
        super().__init__(ports, silence, found, listening)
        self._policy = policy
        self._read = ports.clock.monotonic()

    def _after(self, silence: Silence) -> Silence:
        due = self._due_to_fall(silence)
        if due.status is not silence.status:
            return due
        if silence.status is not Status.FALLING:
            return self._raised(silence)
        if silences.is_end_awaited(silence, self._now) and self._is_written(silence.rollback):
            return replace(silence, waiting=f"{silence.rollback} has not ended yet")
        return self._fallen(silence)

    def _due_to_fall(self, silence: Silence) -> Silence:
        """The silence, which falls where its time is over or nothing is written any more."""
        now, rollback = self._now, silence.rollback
        if silence.status is Status.FALLING:
            return silence
        if now >= silence.until:
            return upheld.falls(silence, "its time is over", now)
        if not self._is_written(rollback):
            return upheld.falls(silence, f"{rollback} writes nothing more", now)
        if silence.status is Status.STANDING:
            return silence
        if now >= silence.began_at + silences.STANDS_WITHIN:
            return upheld.falls(silence, f"it does not stand in time: {silence.waiting}", now)
        if self._is_stopped():
            return upheld.falls(silence, "a person has stopped automation", now)
        return silence

    def _is_written(self, name: str) -> bool:
        """Whether a rollback may write documents yet, or take some out that it has written."""
        store = self._ports.store
        found = store.get(rollbacks.path(name)).fields
        if found is not None and decode(Rollback, found).status is RollbackStatus.RUNNING:
            return True
        later = store.get(commands.path(taking_out_later.command_of(name))).fields
        return later is not None and decode(CommandRecord, later).due_at is not None

    def _is_stopped(self) -> bool:
        """Whether a switch is set that holds up the rollback, too."""
        found = self._ports.store.get(rollbacks.path(self._silence.rollback)).fields
        order = decode(Rollback, found).order if found is not None else None
        return is_stopped(self._ports, self._policy, overrides=order is not None and order.override)

    def _raised(self, silence: Silence) -> Silence:
        """The silence with how its listeners are told on record; then with nothing pushed."""
        feeds, unseen = self._seen(silence)
        for failure in unseen.values():
            raise failure
        if not silence.is_seen:
            return self._looked(silence, feeds)
        stand = silences.stand(silence.listeners, feeds)
        if stand.theirs:
            why = f"somebody has changed how {', '.join(stand.theirs)} is told"
            return upheld.falls(silence, why, self._now)
        if stand.told and silence.status is Status.STANDING:
            names = ", ".join(one.hearer.name for one in stand.told)
            return upheld.falls(silence, f"somebody has {names} told again", self._now)
        if stand.told:
            return self._taken(silence, stand.told)
        if silence.status is Status.STANDING:
            return replace(silence, waiting="")
        return silences.taken(silence, self._now)

    def _looked(self, silence: Silence, feeds: Mapping[str, Feed]) -> Silence:
        """The silence with how its listeners are told; nothing is taken away yet."""
        for one in silence.listeners:
            feed = feeds.get(one.subscription)
            why_not = silences.why_not(feed) if feed else "its subscription is gone"
            if why_not:
                why = f"{one.hearer.name} cannot be kept from being told: {why_not}"
                return upheld.falls(silence, why, self._now)
        return silences.seen(silence, feeds)

    def _taken(self, silence: Silence, told: Iterable[Listener]) -> Silence:
        """The silence of which pushes are taken away, once that is on record."""
        if not upheld.may_send(silence, self._now):
            return replace(silence, sent_at=self._now, waiting="pushes are about to be taken away")
        if self._is_stopped():
            return upheld.falls(silence, "a person has stopped automation", self._now)
        silence = replace(silence, sent_at=self._now, taken_at=None)
        answers = ask_all(self._ports, {one.subscription: partial(self._take, one) for one in told})
        for answer in answers.values():
            if isinstance(answer, Rejected):
                return upheld.falls(silence, str(answer), self._now)
            if isinstance(answer, RollbackError):
                return replace(silence, waiting=str(answer))
        return replace(silence, waiting="pushes are taken away")

    def _take(self, listener: Listener) -> None:
        """Let nothing be pushed to it any more, where we may give that back.

        Raises: Rejected; Unavailable, where it has taken too long since it was read.
        """
        for push in (listener.push, NO_PUSH):
            if self._ports.clock.monotonic() - self._read > FRESH_SECONDS:
                raise Unavailable("it took too long to be sent")
            self._ports.feeds.set_push(listener.subscription, push)
