"""The audit trail as it is kept, read to be verified and told: nothing is changed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from shared.core.codec import DocumentFields, decode
from shared.core.errors import Unavailable
from shared.core.store import Document, ObjectStore, Query, Store
from shared.core.text import last_segment
from shared.domain.audit import anchor, audit_lines, system_chain
from shared.domain.audit.chain import AuditEntry, Event, genesis_hash
from shared.domain.audit.verification import (
    ChainFinding,
    StoredChain,
    verify_rollback_chain,
    verify_system_chain,
)
from shared.domain.rollback.rollback import Rollback, rollback_path

T = TypeVar("T", bound=Struct)

MAX_READ_ATTEMPTS = 10
_FURTHER = re.compile(r"-r\d+\Z")
"""Ends the id of an incident's second, third, … rollback."""
UNSEALED_FIELDS = frozenset({"expires_at", "sealed"})
"""Fields that stand beside an entry or an event and are not sealed with it."""


@dataclass
class AuditReader:
    """Reads of the trail and of its anchors. Raises (anywhere): Unavailable, Rejected."""

    _store: Store
    _anchors: ObjectStore | None

    def rollbacks(self) -> list[str]:
        """The ids of all rollbacks that are kept or anchored, ascending."""
        kept = {last_segment(one.path) for one in self._store.query(Query("rollbacks"))}
        named = self._anchors.names(f"{anchor.ANCHOR_PREFIX}rollbacks/") if self._anchors else []
        anchored = {
            last_segment(one.chain) for one in map(anchor.parse_anchor_name, named) if one is not None
        }
        return sorted(kept | anchored)

    def responses(self, incident: str) -> list[str]:
        """The ids of an incident's rollbacks that are kept or anchored; of a rollback, its own."""
        return [name for name in self.rollbacks() if incident in (name, _FURTHER.sub("", name))]

    def rollback(self, name: str) -> Rollback | None:
        """A rollback; None where there is none, or one that cannot be read."""
        return _decode_document(Rollback, self._store.get(rollback_path(name)).fields)

    def entries(self, name: str) -> list[AuditEntry]:
        """The readable entries of a rollback, by number."""
        return _read_entries(self._documents(f"{rollback_path(name)}/audit"))[0]

    def events(self, system: str) -> list[tuple[Event, int]]:
        """The readable single events of a system, the oldest first, each with its seal's number."""
        found = [
            (event, _seal_number(one))
            for one in self._documents(system_chain.system_events_path(system))
            if (event := _decode_document(Event, one.fields)) is not None
        ]
        return sorted(found, key=lambda event: event[0].at)

    def rollback_lines(self, name: str) -> list[audit_lines.AuditLine]:
        """Each event of a rollback, in order; without its document its system is not known."""
        rollback = self.rollback(name)
        incident = rollback.incident if rollback else _FURTHER.sub("", name)
        system = rollback.system if rollback else ""
        return [
            one
            for entry in self.entries(name)
            for one in audit_lines.audit_lines_of_entry(entry, name, incident, system)
        ]

    def system_lines(self, system: str) -> list[audit_lines.AuditLine]:
        """Each event of a system outside its rollbacks, the oldest first."""
        return [audit_lines.audit_line_of_event(event, system, seal) for event, seal in self.events(system)]

    def verify_rollback(self, name: str, now: datetime) -> ChainFinding | None:
        """What the trail of a rollback proves; None where nothing is known of it."""
        path = rollback_path(name)
        anchors = self._read_anchors(path)  # before what they prove, which may go on meanwhile
        document, (documents,) = self._read_consistently(path, f"{path}/audit")
        entries, faults = _read_entries(documents)
        rollback = _decode_document(Rollback, document.fields)
        if document.fields is None and not (entries or faults or anchors):
            return None
        if document.fields is not None and rollback is None:
            faults.append("the rollback's document is not readable")
        expiries = [(one.fields or {}).get("expires_at") for one in documents]
        kept = StoredChain(path, tuple(entries), expires_at=_latest_expiry(expiries), faults=tuple(faults))
        if rollback is not None:
            if any(_is_expiring_before(at, rollback.expires_at) for at in expiries):
                kept = replace(kept, faults=(*faults, "an entry expires before its rollback does"))
            kept = replace(
                kept, head=rollback.audit_head, length=rollback.sequence, expires_at=rollback.expires_at
            )
        return verify_rollback_chain(kept, anchors, now)

    def verify_system(self, system: str, now: datetime) -> ChainFinding | None:
        """What the chain of a system's single events proves; None where there is none."""
        name = system_chain.chain_name(system)
        anchors = self._read_anchors(name)
        document, (events, sealed) = self._read_consistently(
            system_chain.head_path(system),
            system_chain.system_events_path(system),
            system_chain.system_seals_path(system),
        )
        entries, faults = _read_entries(sealed)
        head = _decode_document(system_chain.ChainHead, document.fields)
        if document.fields is not None and head is None:
            faults.append("the head's document is not readable")
        head = head or system_chain.ChainHead(hash=genesis_hash(name))
        if not (head.sequence or entries or faults or anchors or events):
            return None
        readable = [(_decode_document(Event, one.fields), one) for one in events]
        faults += [f"{one.path}: not readable" for event, one in readable if event is None]
        singles = [(event, _seal_number(one)) for event, one in readable if event is not None]
        return verify_system_chain(
            StoredChain(name, tuple(entries), head.hash, head.sequence, faults=tuple(faults)),
            anchors,
            now,
            sealed_at=head.sealed_at,
            singles=system_chain.find_seal_faults(entries, singles, now),
        )

    def _read_consistently(self, head: str, *collections: str) -> tuple[Document, list[list[Document]]]:
        """Read a head and collections, unchanged meanwhile; a transaction would lock writers."""
        for _ in range(MAX_READ_ATTEMPTS):
            before = self._store.get(head)
            found = [self._documents(collection) for collection in collections]
            if self._store.get(head).version == before.version:
                return before, found
        raise Unavailable(f"{head} changes too fast to be verified")

    def _read_anchors(self, chain: str) -> list[anchor.Anchor] | None:
        """The anchored heads of a chain by number, the last with its expiry; None: no bucket."""
        if self._anchors is None:
            return None
        found = [
            one
            for one in map(anchor.parse_anchor_name, self._anchors.names(anchor.chain_anchor_prefix(chain)))
            if one is not None
        ]
        if found:
            found[-1] = anchor.anchor_with_expiry(found[-1], self._anchors.read(found[-1].name))
        return found

    def _documents(self, collection: str) -> list[Document]:
        return self._store.query(Query(collection))


def _read_entries(documents: Iterable[Document]) -> tuple[list[AuditEntry], list[str]]:
    entries = []
    faults = []
    known = {field.name for field in fields(AuditEntry)} | UNSEALED_FIELDS
    for document in documents:
        number = last_segment(document.path)
        entry = _decode_document(AuditEntry, document.fields)
        if entry is None or set(document.fields or {}) - known:
            faults.append(f"entry {number}: no entry of ours")
        elif f"{entry.sequence:06d}" != number:
            faults.append(f"entry {number}: numbered {entry.sequence}")
        if entry is not None:
            entries.append(entry)
    return entries, faults


def _decode_document(kind: type[T], kept: DocumentFields | None) -> T | None:
    """The value in a document; None where there is no document, or it holds something else."""
    if kept is None:
        return None
    try:
        return decode(kind, kept)
    except msgspec.ValidationError:
        return None


def _seal_number(event: Document) -> int:
    """The number of an event's seal; one that no seal has, where something else stands there."""
    number = (event.fields or {}).get("sealed")
    return number if isinstance(number, int) else -1


def _is_expiring_before(at: object, rollback: datetime | None) -> bool:
    """Whether an entry goes before its rollback; a hold and a release change the entries first."""
    return at is not None and (not isinstance(at, datetime) or rollback is None or at < rollback)


def _latest_expiry(expiries: Sequence[datetime | None]) -> datetime | None:
    """The latest of them; None where one of them is held, or there is none."""
    times = [at for at in expiries if isinstance(at, datetime)]
    return max(times) if times and len(times) == len(expiries) else None
