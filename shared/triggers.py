"""Which of a system's own functions a document that is written would start. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from shared.inventory import FunctionState
from shared.resources import DEFAULT_DATABASE
from shared.versions import Scope

_EVENTS = ("google.cloud.firestore.document.", "providers/cloud.firestore/")
"""How the types of events on documents begin, of the 2nd and of the 1st generation
(https://cloud.google.com/functions/docs/calling/cloud-firestore, read 2026-11-26)."""


def started_by(
    functions: Iterable[FunctionState],
    database: str,
    scope: Scope,
    besides: Container[str] = (),
) -> list[str]:
    """The functions that hear of writes to documents of a scope, by name.

    Where that means all collections below documents, `besides` are ids of some that it does not.
    """
    return sorted(
        one.name
        for one in functions
        for pattern, of in _heard(one.definition.get("eventTrigger", {}))
        if _is(of, database) and _may_match(pattern, scope, besides)
    )


def _heard(trigger: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The pattern of documents that a trigger hears of, and their database.

    One that names no documents hears of all. Of the 1st generation a whole name is filtered by:
    a trigger has nothing else that could hold it (google/cloud/functions/v2/functions.proto).
    """
    if not str(trigger.get("eventType", "")).startswith(_EVENTS):
        return
    filters = {
        one.get("attribute", ""): one.get("value", "") for one in trigger.get("eventFilters", ())
    }
    before, _, pattern = filters.get("resource", "").partition("/documents/")
    if pattern:
        yield pattern, before.rpartition("/")[2]
    else:
        yield filters.get("document", "**"), filters.get("database", DEFAULT_DATABASE)


def _may_match(pattern: str, scope: Scope, besides: Container[str]) -> bool:
    """Whether a document of the scope can be one that the pattern means."""
    parts = pattern.strip("/").split("/")
    if any("**" in part for part in parts):
        return True
    if not scope.collection:
        return len(parts) > 2 and parts[-2] not in besides
    if scope.everywhere:
        return len(parts) > 1 and _is(parts[-2], scope.collection)
    wanted = scope.collection.split("/")
    return len(parts) == len(wanted) + 1 and all(map(_is, parts, wanted))


def _is(part: str, name: str) -> bool:
    """Whether it means that name; a star in it may stand for anything.

    So says https://cloud.google.com/eventarc/docs/path-patterns, read 2026-11-27.
    """
    return part == name or "{" in part or "*" in part
