"""Which events a trigger is for: what its filters let through."""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from local.application.service import ApplicationService

PATH_PATTERN_OPERATOR = "match-path-pattern"
OPERATORS = frozenset({"", PATH_PATTERN_OPERATOR})
"""`EventFilter.operator` of google/cloud/eventarc/v1/trigger.proto; empty: equal."""

_WILD = re.compile(r"\{[^{}=]+=\*\*\}|\*\*|\{[^{}]+\}|\*")


class EventFilter(Struct, frozen=True):
    """What the value of an attribute has to look like."""

    attribute: str
    pattern: re.Pattern[str]


def has_event_source(service: ApplicationService) -> bool:
    """Whether documents, or messages of a topic, are a function's events."""
    return service.hears is not None or (service.waiting is not None and not service.queue)


def function_event_filters(service: ApplicationService) -> list[dict[str, str]]:
    """Those of a function's own trigger, as JSON has them."""
    if service.hears is None:
        return [{"attribute": "type", "value": "google.cloud.pubsub.topic.v1.messagePublished"}]
    return [
        {"attribute": "type", "value": service.hears.type},
        {"attribute": "database", "value": service.hears.database},
        {"attribute": "document", "value": service.hears.document, "operator": PATH_PATTERN_OPERATOR},
    ]


def compile_filters(said: Iterable[Mapping[str, str]]) -> tuple[EventFilter, ...]:
    """Filters as a trigger has them in JSON."""
    return tuple(
        EventFilter(
            one["attribute"],
            _compile_path_pattern(one["value"])
            if one.get("operator")
            else re.compile(re.escape(one["value"])),
        )
        for one in said
    )


def matches_filters(filters: Iterable[EventFilter], attributes: Mapping[str, str]) -> bool:
    """Whether all of them fit the attributes of an event; what an event has not fits none."""
    return all(one.pattern.fullmatch(attributes.get(one.attribute, "")) for one in filters)


def _compile_path_pattern(text: str) -> re.Pattern[str]:
    """`*` and `{name}` stay within a segment; `**` and `{name=**}` are any number of them.

    https://cloud.google.com/eventarc/docs/path-patterns (read 2026-11-27).
    """
    text, parts, position = text.strip("/"), [], 0
    for wild in _WILD.finditer(text):
        parts += [re.escape(text[position : wild.start()]), ".*" if "**" in wild[0] else "[^/]*"]
        position = wild.end()
    whole = "".join([*parts, re.escape(text[position:])])
    return re.compile(whole.replace("/.*/", "/(?:.*/)?"), re.DOTALL)
