"""Events outside every rollback: written down singly, sealed later into their system's chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from shared.audit import GENESIS, Entry, Event, link
from shared.documents import SCHEMA, decode, encode
from shared.ports import Create, Document, Update, Write

EVERYWHERE = "all"
"""The chain of what concerns all systems."""
UNCLAIMED = "unclaimed"
"""The chain of what no protected system claims."""
LOOSE = 0
"""The seal of an event that is in no chain yet."""


class Head(Struct, frozen=True):
    """The end of a system's chain."""

    sequence: int = 0
    hash: str = GENESIS
    quarter: str = ""
    """The quarter of an hour in which it was last looked at."""
    schema: int = SCHEMA


def write_down(system: str, key: str, event: Event) -> Create:
    """The write of one event; its key makes a repetition recognisable."""
    return Create(f"systems/{system}/audit/{key}", {**encode(event), "sealed": LOOSE})


def seal(
    system: str, head: Document, loose: Sequence[Document], commit_id: str, quarter: str
) -> list[Write]:
    """The commit that chains these events, unless somebody else has moved the head."""
    known = decode(Head, head.fields) if head.fields is not None else Head()
    moved = Head(known.sequence, known.hash, quarter)
    writes: list[Write] = []
    if loose:
        number = known.sequence + 1
        events = [decode(Event, document.fields) for document in loose]
        entry = link(known.hash, number, commit_id, 0, events)
        moved = Head(number, entry.hash, quarter)
        writes = [
            Create(f"{seals(system)}/{number:06d}", encode(entry)),
            *(Update(document.path, {"sealed": number}) for document in loose),
        ]
    if head.fields is None:
        return [Create(head_path(system), encode(moved)), *writes]
    return [Update(head_path(system), encode(moved), head.version), *writes]


def faults(entries: Iterable[Entry], kept: Iterable[tuple[Event, int]]) -> list[str]:
    """Which single events differ from what was sealed of them; the chain is checked by itself."""
    sealed = {entry.sequence: list(entry.events) for entry in entries}
    found = []
    for event, number in kept:
        if number == LOOSE:
            continue
        if event in sealed.get(number, []):
            sealed[number].remove(event)
        else:
            found.append(f"{event.name} at {event.at}: not what seal {number} holds")
    gone = [event for events in sealed.values() for event in events]
    return [*found, *(f"{event.name} at {event.at}: sealed, and gone" for event in gone)]


def refused_key(topic: str, message: str) -> str:
    """The key of the event that tells of a refused message; the topic by its short name."""
    return f"refused:{topic}:{message}"


def quarter_of(now: datetime) -> str:
    """The quarter of an hour, by name."""
    return f"{now:%Y%m%dT%H}{now.minute // 15}"


def events_of(system: str) -> str:
    """The collection of a system's single events."""
    return f"systems/{system}/audit"


def seals(system: str) -> str:
    """The collection of a system's chain."""
    return f"systems/{system}/seals"


def head_path(system: str) -> str:
    """Where the head of a system's chain is kept."""
    return f"chains/{system}"
