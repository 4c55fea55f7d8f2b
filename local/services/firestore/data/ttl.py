"""Time to live: documents are deleted once the time in one of their fields has passed.

https://firebase.google.com/docs/firestore/ttl (read 2026-11): one field per collection group; a
document goes within 24 hours of its expiry, which may be some time after what stands in the field.
Here it goes with the next whole hour.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from local.core.clock import CloudClock
from local.core.grpc_services import Refused
from local.core.journal import Journal
from local.services.firestore.data.field_paths import lookup, parse
from local.services.firestore.engine import Engine
from local.services.firestore.messages import Document, Precondition, Write
from local.services.firestore.queries.query import Scope
from local.services.firestore.refusals import unmet
from local.services.firestore.timeline import to_micros

EVERY = timedelta(hours=1)
"""Cloud time between two sweeps, which begin on whole hours."""

_KEPT_AS = "firestore-ttl"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Group(NamedTuple):
    """All collections of one id in a database: `projects/P/databases/D/collectionGroups/G`."""

    database: str
    collection_id: str

    def __str__(self) -> str:
        return f"{self.database}/collectionGroups/{self.collection_id}"


class Policy(NamedTuple):
    """By what the documents of a group expire."""

    field: str
    offset: timedelta = timedelta()
    """So long after the time in that field; in whole seconds."""


class Expiry:
    """The policies of all databases, and the sweeps that carry them out; safe for threads."""

    def __init__(self, engine: Engine, clock: CloudClock, journal: Journal) -> None:
        self._engine = engine
        self._clock = clock
        self._journal = journal
        self._lock = threading.Lock()
        self._swept = self._hour()
        self._policies = {
            Group(*name.split("/collectionGroups/")): _unpacked(kept)
            for name, kept in journal.read(_KEPT_AS)
        }

    def policies(self) -> dict[Group, Policy]:
        """What each collection group expires by."""
        with self._lock:
            return dict(self._policies)

    def set(self, group: Group, field: str, offset: timedelta = timedelta()) -> None:
        """Let the documents of a group expire by a field, those that are there too.

        Raises: Refused INVALID_ARGUMENT for no field path, FAILED_PRECONDITION where another field
        has the policy.
        """
        parse(field)
        with self._lock:
            known = self._policies.get(group)
            if known is not None and known.field != field:
                raise unmet(f"{group} expires by the field '{known.field}' already.")
            policy = Policy(field, offset)
            self._journal.write(_KEPT_AS, [(str(group), _packed(policy))])
            self._policies[group] = policy

    def clear(self, group: Group, field: str) -> None:
        """Let no document of a group expire by that field any more."""
        with self._lock:
            known = self._policies.get(group)
            if known is not None and known.field == field:
                self._journal.write(_KEPT_AS, [(str(group), None)])
                del self._policies[group]

    def catch_up(self) -> None:
        """Sweep when a whole hour has come since the last sweep."""
        with self._lock:
            hour = self._hour()
            if hour == self._swept:
                return
            self._swept = hour
            policies = dict(self._policies)
        for group, policy in sorted(policies.items()):
            self._sweep(group, policy, hour)

    def _sweep(self, group: Group, policy: Policy, hour: int) -> None:
        """Delete what had expired by then; what a transaction holds waits for the next sweep."""
        limit = (hour * EVERY - policy.offset) // timedelta(microseconds=1)
        scope = Scope(f"{group.database}/documents", group.collection_id, descendants=True)
        with self._engine.looking() as view:
            expired = [
                document
                for collection in sorted(scope.collections(view.documents))
                for document in view.documents.within(collection, view.time)
                if _stands_in(document, policy.field) <= limit
            ]
        for document in sorted(expired, key=lambda one: str(one.name)):
            self._delete(group.database, document)

    def _delete(self, database: str, document: Document) -> None:
        unchanged = Precondition(update_time=document.update_time)
        write = Write(delete=document.name, current_document=unchanged)
        try:
            self._engine.commit(database, [write], is_wanted=lambda: False)
        except Refused:
            return  # written or held since it was read: the next sweep looks again

    def _hour(self) -> int:
        return (self._clock.now() - _EPOCH) // EVERY


def _packed(policy: Policy) -> bytes:
    return f"{policy.offset // timedelta(seconds=1)} {policy.field}".encode()


def _unpacked(kept: bytes) -> Policy:
    seconds, _, field = kept.decode().partition(" ")
    return Policy(field, timedelta(seconds=int(seconds)))


def _stands_in(document: Document, field: str) -> float:
    """The time that a document expires by, in microseconds; infinite where there is none."""
    value = lookup(document, parse(field))
    if value is None or not value.HasField("timestamp_value"):
        return float("inf")
    return to_micros(value.timestamp_value)
