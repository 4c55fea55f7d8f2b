"""Carries what happens to documents to the topics of the triggers that hear of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from local.core.journal import Journal, Row
from local.core.rest import Resource
from local.services.eventarc.document_events import TYPES, WITH_AUTH, WRITTEN, Change, message
from local.services.eventarc.filters import Filter, compiled, let_through
from local.services.eventarc.names import topic_of
from local.services.firestore.messages import Document
from local.services.pubsub.messages import PublishRequest
from local.services.pubsub.refusals import Ended
from local.services.pubsub.service import PubSub

_KEPT_AS = "eventarc-news"


class Hearing(Struct, frozen=True):
    """A trigger that hears of documents."""

    trigger: str
    type: str
    filters: tuple[Filter, ...]
    """All but that of the type."""

    def hears(self, change: Change) -> bool:
        """Whether the change is one that the trigger is for."""
        wanted = self.type.removesuffix(WITH_AUTH)
        return wanted in (WRITTEN, change.type) and let_through(self.filters, change.attributes())


class Herald:
    """Publishes an event for each change that a trigger hears of, at least once.

    What is to be published is kept by the stroke that commits the change, and forgotten when it is
    published: a cloud that dies in between publishes it when it is started again.
    """

    def __init__(self, journal: Journal, pubsub: PubSub) -> None:
        self._journal = journal
        self._pubsub = pubsub
        self._hearings: dict[str, tuple[Hearing, ...]] = {}

    def resume(self) -> None:
        """Publish what an earlier cloud of the same journal did not come to."""
        self.tell([(_KEPT_AS, key, value) for key, value in self._journal.read(_KEPT_AS)])

    def listen(self, triggers: Sequence[Resource]) -> None:
        """Let these triggers hear of documents from now on, and no others."""
        hearings: dict[str, tuple[Hearing, ...]] = defaultdict(tuple)
        for one in triggers:
            hearings[one["name"].split("/")[1]] += (_hearing(one),)
        self._hearings = hearings

    def news(
        self,
        database: str,
        changes: Mapping[str, Document | None],
        before: Callable[[str], Document | None],
        time: int,
    ) -> list[Row]:
        """A row for each event of a commit; none costs next to nothing."""
        hearings = self._hearings.get(database.split("/")[1], ())
        if not hearings:
            return []
        found = (Change(name, before(name), after, time) for name, after in changes.items())
        return [row for change in found for row in _rows(change, hearings)]

    def tell(self, news: Sequence[Row]) -> None:
        """Publish what is kept in these rows."""
        if not news:
            return
        with suppress(Ended):  # the next cloud of this journal publishes it
            self._pubsub.publish([PublishRequest.FromString(value) for _, _, value in news])
            self._journal.write_together([(service, key, None) for service, key, _ in news])


def is_of_documents(trigger: Resource) -> bool:
    """Whether a trigger hears of Firestore's documents."""
    return _type(trigger).startswith(TYPES)


def _type(trigger: Resource) -> str:
    said = (one.get("value", "") for one in trigger["eventFilters"] if one["attribute"] == "type")
    return str(next(said, ""))


def _hearing(trigger: Resource) -> Hearing:
    others = [one for one in trigger["eventFilters"] if one["attribute"] != "type"]
    return Hearing(trigger["name"], _type(trigger), compiled(others))


def _rows(change: Change, hearings: Sequence[Hearing]) -> Iterator[Row]:
    for number, hearing in enumerate(hearings):
        if hearing.hears(change):
            event = message(change, hearing.trigger, hearing.type)
            request = PublishRequest(topic=topic_of(hearing.trigger), messages=[event])
            key = f"{change.time:020} {number:06} {change.name}"
            yield _KEPT_AS, key, request.SerializeToString()
