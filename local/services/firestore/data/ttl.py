"""Time to live: documents are deleted once the time in one of their fields has passed.

https://firebase.google.com/docs/firestore/ttl (read 2026-11): one field per collection group; a
document goes within 24 hours of its expiry, which may be some time after what stands in the field.
Here it goes with the next whole hour.
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.services.firestore.commit_engine import FirestoreEngine
from local.services.firestore.data.field_paths import lookup, parse_field_path
from local.services.firestore.messages import Document, Precondition, Write
from local.services.firestore.queries.query import QueryScope
from local.services.firestore.statuses import failed_precondition
from local.services.firestore.timeline import to_micros

SWEEP_INTERVAL = timedelta(hours=1)
"""Cloud time between two sweeps, which begin on whole hours."""

_JOURNAL_SERVICE = "firestore-ttl"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CollectionGroup(NamedTuple):
    """All collections of one id in a database: `projects/P/databases/D/collectionGroups/G`."""

    database: str
    collection_id: str

    def __str__(self) -> str:
        return f"{self.database}/collectionGroups/{self.collection_id}"


class TtlPolicy(NamedTuple):
    """By what the documents of a group expire."""

    field: str
    offset: timedelta = timedelta()
    """So long after the time in that field; in whole seconds."""


class TtlPolicies:
    """The policies of all databases, and the sweeps that carry them out; safe for threads."""

    def __init__(self, engine: FirestoreEngine, clock: CloudClock, journal: Journal) -> None:
        self._engine = engine
        self._clock = clock
        self._journal = journal
        self._lock = threading.Lock()
        self._swept = self._hour()
        self._policies = {
            CollectionGroup(*name.split("/collectionGroups/")): _decode_policy(kept)
            for name, kept in journal.read(_JOURNAL_SERVICE)
        }

    def policies(self) -> dict[CollectionGroup, TtlPolicy]:
        """What each collection group expires by."""
        with self._lock:
            return dict(self._policies)

    def set(self, group: CollectionGroup, field: str, offset: timedelta = timedelta()) -> None:
        """Let the documents of a group expire by a field, those that are there too.

        Raises: Refused INVALID_ARGUMENT for no field path, FAILED_PRECONDITION where another field
        has the policy.
        """
        parse_field_path(field)
        with self._lock:
            known = self._policies.get(group)
            if known is not None and known.field != field:
                raise failed_precondition(f"{group} expires by the field '{known.field}' already.")
            policy = TtlPolicy(field, offset)
            self._journal.write(_JOURNAL_SERVICE, [(str(group), _encode_policy(policy))])
            self._policies[group] = policy

    def clear(self, group: CollectionGroup, field: str) -> None:
        """Let no document of a group expire by that field any more."""
        with self._lock:
            known = self._policies.get(group)
            if known is not None and known.field == field:
                self._journal.write(_JOURNAL_SERVICE, [(str(group), None)])
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

    def _sweep(self, group: CollectionGroup, policy: TtlPolicy, hour: int) -> None:
        """Delete what had expired by then; what a transaction holds waits for the next sweep."""
        limit = (hour * SWEEP_INTERVAL - policy.offset) // timedelta(microseconds=1)
        scope = QueryScope(f"{group.database}/documents", group.collection_id, descendants=True)
        with self._engine.read_at() as view:
            expired = [
                document
                for collection in sorted(scope.collections(view.documents))
                for document in view.documents.documents_in(collection, view.time)
                if _expiry_micros(document, policy.field) <= limit
            ]
        for document in sorted(expired, key=lambda one: str(one.name)):
            self._delete(group.database, document)

    def _delete(self, database: str, document: Document) -> None:
        unchanged = Precondition(update_time=document.update_time)
        write = Write(delete=document.name, current_document=unchanged)
        try:
            self._engine.commit(database, [write], is_wanted=lambda: False)
        except StatusError:
            return  # written or held since it was read: the next sweep looks again

    def _hour(self) -> int:
        return (self._clock.now() - _EPOCH) // SWEEP_INTERVAL


def _encode_policy(policy: TtlPolicy) -> bytes:
    return f"{policy.offset // timedelta(seconds=1)} {policy.field}".encode()


def _decode_policy(kept: bytes) -> TtlPolicy:
    seconds, _, field = kept.decode().partition(" ")
    return TtlPolicy(field, timedelta(seconds=int(seconds)))


def _expiry_micros(document: Document, field: str) -> float:
    """The time that a document expires by, in microseconds; infinite where there is none."""
    value = lookup(document, parse_field_path(field))
    if value is None or not value.HasField("timestamp_value"):
        return float("inf")
    return to_micros(value.timestamp_value)
