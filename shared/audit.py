"""The tamper-evident trail: who did what, when and why, chained by hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from shared.documents import SCHEMA

GENESIS = "0" * 64
"""What the first entry of a chain names as its predecessor."""


class Event(Struct, frozen=True):
    """One thing that happened."""

    name: str
    at: str
    """ISO 8601, UTC: hashed as text, so that no store can change its precision."""
    actor: str
    facts: dict[str, Any] = {}


class Entry(Struct, frozen=True):
    """The events of one commit; its document is that commit's receipt."""

    sequence: int
    commit_id: str
    previous: str
    fence: int
    events: list[Event]
    hash: str = ""
    schema: int = SCHEMA


def event(name: str, at: datetime, actor: str, **facts: Any) -> Event:
    """An event with its facts as plain JSON values; times become ISO texts."""
    return Event(name, stamp(at), actor, msgspec.to_builtins(facts))


def stamp(at: datetime) -> str:
    """The time as it is written in the trail."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def link(
    previous: str, sequence: int, commit_id: str, fence: int, events: Iterable[Event]
) -> Entry:
    """The entry that follows `previous` in its chain, sealed with its hash."""
    entry = Entry(sequence, commit_id, previous, fence, list(events))
    return msgspec.structs.replace(entry, hash=digest(entry))


def digest(entry: Entry) -> str:
    """SHA-256 in hex over everything an entry says but its own hash."""
    content = msgspec.structs.replace(entry, hash="")
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def faults(entries: Sequence[Entry], head: str, length: int) -> list[str]:
    """What is wrong with a whole chain against its head and length; empty: it is intact.

    Finds an entry that was edited, removed, inserted or moved. A chain that was rewritten from
    some entry on, together with its head, is consistent in itself: only a copy of the head kept
    elsewhere finds that.
    """
    found = []
    previous = GENESIS
    for position, entry in enumerate(entries, 1):
        if entry.sequence != position:
            found.append(f"entry {position}: numbered {entry.sequence}")
        if entry.previous != previous:
            found.append(f"entry {position}: does not follow the entry before it")
        if entry.hash != digest(entry):
            found.append(f"entry {position}: its content is not what was sealed")
        previous = entry.hash
    if len(entries) != length:
        found.append(f"{len(entries)} entries where {length} were written")
    if previous != head:
        found.append("the last entry is not the recorded head")
    return found
