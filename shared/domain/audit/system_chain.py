"""Events outside every rollback: written down singly, sealed later into their system's chain."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from shared.core.chunks import MAX_DOCUMENT_BYTES, count_stored_bytes, split_into_chunks
from shared.core.codec import StoredDocument, collections_below, documents_of, encode
from shared.core.store import Create, Document, Update, Write
from shared.domain.audit import anchor
from shared.domain.audit.chain import AuditEntry, Event, build_entry, create_event, genesis_hash
from shared.domain.retention import RECORD_RETENTION

UNCLAIMED_SYSTEM = "unclaimed"
"""The chain of what no protected system claims."""
UNSEALED = 0
"""The seal of an event that is in no chain yet."""
MAX_EVENTS_PER_SEAL = 200

SEAL_EVENT = "chain.sealed"
"""The first event of each seal: it tells when the one before was made, and thus may be gone."""
head_path = documents_of("chains")
system_seals_path = collections_below("systems", "seals")
"""A system's chain."""
system_events_path = collections_below("systems", "audit")
"""A system's single events."""
chain_name = documents_of("systems")


class ChainHead(StoredDocument):
    """The end of a system's chain."""

    sequence: int = 0
    hash: str = ""
    sealed_at: datetime | None = None
    quarter: str = ""
    """The quarter of an hour in which it was last looked at."""


def system_event(system: str, key: str, name: str, at: datetime, actor: str, /, **facts: Any) -> Create:
    """Return the write that creates an event of a system; its key makes a repetition known."""
    return event_write(system, key, create_event(name, at, actor, **facts))


def event_write(system: str, key: str, event: Event) -> Create:
    """The write of one event; its key makes a repetition recognisable."""
    kept = {"sealed": UNSEALED, "expires_at": datetime.fromisoformat(event.at) + RECORD_RETENTION}
    return Create(f"{system_events_path(system)}/{key}", {**encode(event), **kept})


def seal_events(
    system: str, head: Document, loose: Sequence[Document], *, now: datetime, commit_id: str, quarter: str
) -> list[Write]:
    """Build the commit that seals one of the `sealable_parts`, if the head has not moved."""
    known = ChainHead(hash=genesis_hash(chain_name(system)))
    if head.fields is not None:
        known = head.decode(ChainHead)
    moved = replace(known, quarter=quarter)
    writes: list[Write] = []
    if loose:
        number = known.sequence + 1
        first = create_event(SEAL_EVENT, now, "on_clock", follows=known.sealed_at)
        events = [first, *(sealed_form(document.decode(Event)) for document in loose)]
        entry = build_entry(known.hash, number, commit_id, 0, events)
        moved = ChainHead(number, entry.hash, now, quarter)
        expires_at = now + RECORD_RETENTION
        writes = [
            Create(f"{system_seals_path(system)}/{number:06d}", {**encode(entry), "expires_at": expires_at}),
            *(Update(document.path, {"sealed": number}) for document in loose),
            anchor.pending_anchor_write(chain_name(system), entry, expires_at),
        ]
    return [head.build_write(moved), *writes]


def sealed_form(event: Event) -> Event:
    """Return the event as a seal holds it: facts that fill a document become their hash."""
    if count_stored_bytes(event.facts) <= MAX_DOCUMENT_BYTES // 2:
        return event
    facts = msgspec.json.encode(event.facts, order="deterministic")
    return replace(event, facts={"bytes": len(facts), "sha256": hashlib.sha256(facts).hexdigest()})


def sealable_parts(loose: Iterable[Document]) -> Iterator[list[Document]]:
    """Return the events in parts, each of which one seal can hold."""

    def size(document: Document) -> int:
        return count_stored_bytes(encode(sealed_form(document.decode(Event))))

    return split_into_chunks(loose, MAX_EVENTS_PER_SEAL, MAX_DOCUMENT_BYTES, size)


def find_seal_faults(
    entries: Iterable[AuditEntry], kept: Iterable[tuple[Event, int]], now: datetime | None = None
) -> list[str]:
    """Find single events that differ from their seal; those expired by `now` may be gone."""
    sealed = {entry.sequence: [one for one in entry.events if one.name != SEAL_EVENT] for entry in entries}
    found = []
    for one, number in kept:
        if number == UNSEALED:
            continue
        if one in sealed.get(number, []):
            sealed[number].remove(one)
        elif sealed_form(one) in sealed.get(number, []):
            sealed[number].remove(sealed_form(one))
        elif number in sealed or not _has_expired(one, now):
            found.append(f"{one.name} at {one.at}: not what seal {number} holds")
    gone = [one for events in sealed.values() for one in events if not _has_expired(one, now)]
    return [*found, *(f"{one.name} at {one.at}: sealed, and gone" for one in gone)]


def previous_seal_at(entry: AuditEntry) -> datetime | None:
    """When the seal before this one was made; None for the first, and for what is no seal."""
    said = entry.events[0].facts.get("follows") if entry.events else None
    return _parse_time(said) if isinstance(said, str) else None


def _has_expired(one: Event, now: datetime | None) -> bool:
    at = _parse_time(one.at)
    return now is not None and at is not None and at + RECORD_RETENTION <= now


def _parse_time(written: str) -> datetime | None:
    """A time of the trail; None for what somebody else has put in its place."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return at if at.tzinfo else None


def refusal_event_key(topic: str, message: str) -> str:
    """The key of the event that tells of a refused message; the topic by its short name."""
    return f"refused:{topic}:{message}"
