"""What a document that is written would start, by the triggers that hear of it. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping
from enum import StrEnum

from shared.core import text
from shared.core.codec import FrozenStruct
from shared.domain.deployments.inventory.inventory_parts import FunctionState
from shared.domain.policy.document_scope import Scope

EventFilters = Mapping[str, str]
"""Of a trigger: the value of each attribute that it filters events by, their `type` among them."""

_ANY = "**"
_EVENT = "google.cloud.firestore.document."
_EVENTS = (_EVENT, "providers/cloud.firestore/")
"""How the types of events on documents begin, of the 2nd and of the 1st generation
(https://cloud.google.com/functions/docs/calling/cloud-firestore, read 2026-11-26)."""
_AUDITED = "google.cloud.audit.log.v1.written"
_WRITTEN_BY = ("firestore.googleapis.com", "google.firestore.v1.Firestore.BatchWrite")
"""The service and the method that an entry of the audit log names for what a repair writes
(https://cloud.google.com/firestore/docs/audit-logging, read 2026-11-27)."""
_OPERATORS = ("", "match-path-pattern")
"""Those that are known: equal, and by a pattern of a path (`EventFilter.operator` of
google/cloud/eventarc/v1/trigger.proto and of google/cloud/functions/v2/functions.proto)."""


class DocumentEvent(StrEnum):
    """What becomes of a document, as the types of events call it."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class EventarcTrigger(FrozenStruct):
    """A trigger of Eventarc, which starts something when a document changes."""

    name: str
    starts: str
    """What it starts, by kind and name: `workflow bill`."""
    filters: EventFilters

    def __str__(self) -> str:
        return text.shorten(text.one_line(f"{self.starts} (trigger {self.name.rpartition('/')[2]})"))


class DocumentListener(FrozenStruct):
    """What hears of documents, and by what."""

    name: str
    """Of a function its name; else the name of the trigger and of what it starts."""
    event: str

    def is_notified_of(self, change: DocumentEvent) -> bool:
        """Whether it may be told of such a change of a document that its pattern means."""
        if not self.event.startswith(_EVENTS):
            return True
        kind = self.event.removesuffix(".withAuthContext").rpartition(".")[2]
        return kind.startswith("writ") or change.startswith(kind)


def parse_filters(said: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Parse the filters of Eventarc or Functions; unknown operators let anything through."""
    return {
        one.get("attribute", ""): one.get("value", "") if one.get("operator", "") in _OPERATORS else _ANY
        for one in said
    }


def find_listeners(
    functions: Iterable[FunctionState],
    triggers: Iterable[EventarcTrigger],
    database: str,
    scope: Scope,
    besides: Container[str] = (),
) -> list[DocumentListener]:
    """Return what hears of writes in a scope; `besides`: ids that the scope does not mean."""
    known, listed = list(functions), list(triggers)
    own = {_within_project(one.trigger) for one in known} - {""}
    by_function = ((one.name, one.definition.get("eventTrigger", {})) for one in known)
    hearing = [
        *(
            (name, {"type": by.get("eventType", ""), **parse_filters(by.get("eventFilters", ()))})
            for name, by in by_function
        ),
        *((str(one), one.filters) for one in listed if _within_project(one.name) not in own),
    ]
    found = [
        DocumentListener(name, by.get("type", _ANY))
        for name, by in hearing
        for pattern, of in _document_patterns(by)
        if _is_segment_match(of, database) and _may_match(pattern, scope, besides)
    ]
    return sorted(found, key=lambda one: one.name)


def _within_project(trigger: str) -> str:
    """Its name without the project, which may be named by its id or by its number."""
    return trigger.partition("/locations/")[2]


def _document_patterns(by: EventFilters) -> Iterator[tuple[str, str]]:
    """The pattern of documents that is heard of by these filters, and that of their database.

    Filters that name no documents let all through. Of the 1st generation a whole name is filtered
    by: a trigger has nothing else that could hold it (google/cloud/functions/v2/functions.proto).
    Of an entry of the audit log the database alone is looked at.
    """
    event = by.get("type", _ANY)
    if event == _AUDITED:
        named = (by.get("serviceName", _ANY), by.get("methodName", _ANY))
        if all(map(_is_segment_match, named, _WRITTEN_BY)):
            yield _ANY, _database_name(by.get("resourceName", "")) or _ANY
    elif event == _ANY or event.startswith(_EVENTS):
        resource = by.get("resource", "")
        pattern = resource.partition("/documents/")[2] or by.get("document", _ANY)
        yield pattern, _database_name(resource) or by.get("database", _ANY)


def _database_name(name: str) -> str:
    """The id of the database in the name of a resource; empty: it names none."""
    return name.partition("databases/")[2].partition("/")[0]


def _may_match(pattern: str, scope: Scope, besides: Container[str]) -> bool:
    parts = pattern.strip("/").split("/")
    if any("**" in part for part in parts):
        return True
    if not scope.collection:
        return len(parts) > 2 and parts[-2] not in besides
    if scope.everywhere:
        return len(parts) > 1 and _is_segment_match(parts[-2], scope.collection)
    wanted = scope.collection.split("/")
    return len(parts) == len(wanted) + 1 and all(map(_is_segment_match, parts, wanted))


def _is_segment_match(part: str, name: str) -> bool:
    """Whether it means that name; a star in it may stand for anything.

    So says https://cloud.google.com/eventarc/docs/path-patterns, read 2026-11-27.
    """
    return part == name or "{" in part or "*" in part
