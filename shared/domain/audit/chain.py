"""The tamper-evident trail: who did what, when and why, chained by hashes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.core.chunks import count_stored_bytes
from shared.core.codec import FrozenStruct, StoredDocument
from shared.core.redaction import redact_secrets, redact_value
from shared.core.text import cut_reason

MAX_FACT_BYTES = 300_000
"""So much the facts of one event may hold: the events of one commit lie in one document."""

ExpiryPredicate = Callable[["AuditEntry | None"], bool]
"""Whether the entries just before this one (None: up to the end) may have expired."""


def genesis_hash(chain: str) -> str:
    """What the first entry of a chain names as its predecessor: a chain is bound to its name."""
    return hashlib.sha256(chain.encode()).hexdigest()


class Event(FrozenStruct):
    """One thing that happened."""

    name: str
    at: str
    """ISO 8601, UTC: hashed as text, so that no store can change its precision."""
    actor: str
    facts: dict[str, Any] = {}


class AuditEntry(StoredDocument):
    """The events of one commit; its document is that commit's receipt."""

    sequence: int
    commit_id: str
    previous: str
    fence: int
    events: list[Event]
    hash: str = ""


def create_event(name: str, at: datetime, actor: str, **facts: Any) -> Event:
    """Create an event of plain JSON facts without secrets; oversized facts are cut, with a note."""
    clean = redact_value(msgspec.to_builtins(facts))
    if count_stored_bytes(clean) > MAX_FACT_BYTES:
        room = MAX_FACT_BYTES // len(clean)
        clean = {
            key: fact if count_stored_bytes(fact) <= room else cut_reason(msgspec.json.encode(fact).decode())
            for key, fact in clean.items()
        }
    return Event(name, at.astimezone(UTC).isoformat(timespec="microseconds"), redact_secrets(actor), clean)


def build_entry(
    previous: str, sequence: int, commit_id: str, fence: int, events: Iterable[Event]
) -> AuditEntry:
    """The entry that follows `previous` in its chain, sealed with its hash."""
    entry = AuditEntry(sequence, commit_id, previous, fence, list(events))
    return msgspec.structs.replace(entry, hash=digest(entry))


def digest(entry: AuditEntry) -> str:
    """SHA-256 in hex over everything an entry says but its own hash."""
    content = msgspec.structs.replace(entry, hash="")
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def find_chain_faults(
    chain: str,
    entries: Sequence[AuditEntry],
    head: str,
    length: int | None,
    may_be_gone: ExpiryPredicate = lambda _next: False,
) -> list[str]:
    """What is wrong with a chain against its recorded head and length; empty: it is intact.

    A length of None: neither is known. Finds an entry that was edited, removed, inserted, moved or
    taken from another chain. A chain that was rewritten from some entry on, together with its
    head, is consistent in itself: only a copy of the head kept elsewhere finds that.
    """
    found = []
    expected, previous = 1, genesis_hash(chain)
    for entry in entries:
        if entry.sequence < expected:
            found.append(f"entry {entry.sequence}: stands where entry {expected} should")
        elif entry.sequence > expected and not may_be_gone(entry):
            found.append(f"{_format_range(expected, entry.sequence - 1)} missing")
        elif entry.sequence == expected and entry.previous != previous:
            found.append(f"entry {entry.sequence}: does not follow the entry before it")
        if entry.hash != digest(entry):
            found.append(f"entry {entry.sequence}: its content is not what was sealed")
        expected, previous = entry.sequence + 1, entry.hash
    return [*found, *_find_end_faults(expected - 1, previous, head, length, may_be_gone)]


def _find_end_faults(
    last: int, last_hash: str, head: str, length: int | None, may_be_gone: ExpiryPredicate
) -> Iterator[str]:
    if length is None:
        return
    if last > length:
        yield f"{last} entries where {length} were written"
    elif last < length and not may_be_gone(None):
        yield f"{_format_range(last + 1, length)} missing"
    elif last == length and last_hash != head:
        yield "the last entry is not the recorded head"


def _format_range(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
