"""Carries what happens to documents to the topics of the triggers that hear of it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from local.core.journal import Journal, Row
from local.core.rest import Resource
from local.services.eventarc.document_events import (
    AUTH_CONTEXT_SUFFIX,
    EVENT_TYPE_PREFIX,
    WRITTEN_EVENT_TYPE,
    DocumentCommitChange,
    build_event_message,
)
from local.services.eventarc.filters import EventFilter, compile_filters, matches_filters
from local.services.eventarc.names import topic_of
from local.services.firestore.messages import Document
from local.services.pubsub.messages import PublishRequest
from local.services.pubsub.service import PubSub
from local.services.pubsub.statuses import ServiceEnded

_JOURNAL_SERVICE = "eventarc-news"


class DocumentTrigger(Struct, frozen=True):
    """A trigger that hears of documents."""

    trigger: str
    type: str
    filters: tuple[EventFilter, ...]
    """All but that of the type."""

    def matches_change(self, change: DocumentCommitChange) -> bool:
        """Whether the change is one that the trigger is for."""
        wanted = self.type.removesuffix(AUTH_CONTEXT_SUFFIX)
        return wanted in (WRITTEN_EVENT_TYPE, change.type) and matches_filters(
            self.filters, change.attributes()
        )


class DocumentEventPublisher:
    """Publishes an event for each change that a trigger hears of, at least once.

    What is to be published is kept by the stroke that commits the change, and forgotten when it is
    published: a cloud that dies in between publishes it when it is started again.
    """

    def __init__(self, journal: Journal, pubsub: PubSub) -> None:
        self._journal = journal
        self._pubsub = pubsub
        self._hearings: dict[str, tuple[DocumentTrigger, ...]] = {}

    def resume(self) -> None:
        """Publish what an earlier cloud of the same journal did not come to."""
        self.publish_events(
            [(_JOURNAL_SERVICE, key, value) for key, value in self._journal.read(_JOURNAL_SERVICE)]
        )

    def listen(self, triggers: Sequence[Resource]) -> None:
        """Let these triggers hear of documents from now on, and no others."""
        hearings: dict[str, tuple[DocumentTrigger, ...]] = defaultdict(tuple)
        for one in triggers:
            hearings[one["name"].split("/")[1]] += (_build_document_trigger(one),)
        self._hearings = hearings

    def build_event_rows(
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
        found = (DocumentCommitChange(name, before(name), after, time) for name, after in changes.items())
        return [row for change in found for row in _rows(change, hearings)]

    def publish_events(self, news: Sequence[Row]) -> None:
        """Publish what is kept in these rows."""
        if not news:
            return
        with suppress(ServiceEnded):  # the next cloud of this journal publishes it
            self._pubsub.publish([PublishRequest.FromString(value) for _, _, value in news])
            self._journal.write_together([(service, key, None) for service, key, _ in news])


def is_document_trigger(trigger: Resource) -> bool:
    """Whether a trigger hears of Firestore's documents."""
    return _type(trigger).startswith(EVENT_TYPE_PREFIX)


def _type(trigger: Resource) -> str:
    said = (one.get("value", "") for one in trigger["eventFilters"] if one["attribute"] == "type")
    return str(next(said, ""))


def _build_document_trigger(trigger: Resource) -> DocumentTrigger:
    others = [one for one in trigger["eventFilters"] if one["attribute"] != "type"]
    return DocumentTrigger(trigger["name"], _type(trigger), compile_filters(others))


def _rows(change: DocumentCommitChange, hearings: Sequence[DocumentTrigger]) -> Iterator[Row]:
    for number, hearing in enumerate(hearings):
        if hearing.matches_change(change):
            event = build_event_message(change, hearing.trigger, hearing.type)
            request = PublishRequest(topic=topic_of(hearing.trigger), messages=[event])
            key = f"{change.time:020} {number:06} {change.name}"
            yield _JOURNAL_SERVICE, key, request.SerializeToString()
