"""How a silence falls: by what it has on record itself, whatever has become of its policy.

What is ours is acknowledged first; then each subscription pushes as it did before.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from responders.asking import ask_all
from responders.silences.listening import Listening
from shared import silence as silences
from shared import upheld
from shared.errors import Gone, Moved, Rejected, RollbackError, Unavailable
from shared.feeds import Feed
from shared.ports import Document, Ports
from shared.silence import Listener, Silence
from shared.upheld import Status


class Falling:
    """One look at a silence that nobody keeps up any more, and what it takes."""

    def __init__(
        self, ports: Ports, silence: Silence, found: Document, listening: Listening
    ) -> None:
        self._ports = ports
        self._silence = silence
        self._now = found.read_at
        self._listening = listening

    def after(self) -> Silence:
        """The silence after it; what gives no answer is asked again."""
        try:
            return self._after(self._silence)
        except (Unavailable, Moved, Rejected) as failure:
            return replace(self._silence, waiting=str(failure))

    def _after(self, silence: Silence) -> Silence:
        if silence.status is Status.FALLING:
            return self._fallen(silence)
        return upheld.falls(silence, f"{silence.system} has no policy any more", self._now)

    def _fallen(self, silence: Silence) -> Silence:
        """The silence with what is ours acknowledged; with its pushes given back; or down."""
        if silence.sent_at is None:
            return upheld.down(silence, (), self._now)
        feeds, unseen = self._seen(silence)
        known = [one for one in silence.listeners if one.subscription not in unseen]
        stand = silences.stand(known, feeds)
        if stand.silent:
            return self._heard(silence, stand.silent)
        for failure in unseen.values():  # it holds up no other
            raise failure
        if not upheld.may_be_down(silence, self._now):
            return replace(silence, waiting="")
        return upheld.down(silence, stand.theirs, self._now)

    def _heard(self, silence: Silence, silent: Iterable[Listener]) -> Silence:
        """The silence after what has come, or with the pushes given back once that is on record."""
        if silences.may_give_back(silence, self._now):
            return self._given_back(silence, silent)
        if not silences.may_listen(silence, self._now):
            return replace(silence, waiting="what is on its way lands")
        listening = self._listening
        if listening.is_over:
            listening.let_go()
            after = silences.let_go(silence) if listening.has_begun else silence
            return replace(after, waiting="another worker hears what comes")
        if not listening.has_begun:
            listening.has_begun = True
            after = silences.taken_over(silence, self._now)
            return replace(after, waiting="what has come is about to be pulled")
        counts, failure = listening.hear(silence, silent)
        silence = silences.pulled(silence, self._now)
        silence = silences.heard(silence, counts, listening.ours(silence), self._now)
        if failure is not None:
            return replace(silences.lost(silence, self._now), waiting=str(failure))
        if silences.is_heard_out(silence, self._now):
            return silences.gives_back(silence, self._now)
        return replace(
            silence, waiting=f"{silence.missing} events of {silence.rollback} have not come"
        )

    def _given_back(self, silence: Silence, silent: Iterable[Listener]) -> Silence:
        """The silence with each subscription asked to push as it did. Raises: Unavailable."""
        self._listening.let_go()
        set_push = self._ports.feeds.set_push
        calls = {one.subscription: partial(set_push, one.subscription, one.push) for one in silent}
        answers = ask_all(self._ports, calls)
        failures = [str(one) for one in answers.values() if isinstance(one, RollbackError)]
        waiting = failures[0] if failures else "pushes are given back"
        return replace(silences.let_go(silence), waiting=waiting)

    def _seen(self, silence: Silence) -> tuple[dict[str, Feed], dict[str, RollbackError]]:
        """Its subscriptions as they are now, without those that are gone.

        And of which there was no answer, or a no.
        """
        names = [one.subscription for one in silence.listeners]
        answers = ask_all(self._ports, {one: partial(self._ports.feeds.feed, one) for one in names})
        feeds = {name: one for name, one in answers.items() if isinstance(one, Feed)}
        failures = {name: one for name, one in answers.items() if isinstance(one, RollbackError)}
        return feeds, {name: one for name, one in failures.items() if not isinstance(one, Gone)}
