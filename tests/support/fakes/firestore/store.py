"""Documents in memory, with Firestore's preconditions and its idea of a version."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from shared.core.errors import Exists, Moved, Rejected, Throttled
from shared.core.runtime import Clock
from shared.core.store import Create, Document, Put, Query, Reader, Update, Write
from tests.support.fakes.firestore.queries import matching_paths
from tests.support.fakes.firestore.values import copy_fields, require_size, to_stored_fields
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

ATTEMPTS = 10
"""Runs of a transaction's work before contention is given up."""

_TICK = timedelta(microseconds=1)


class _Kept(NamedTuple):
    fields: dict[str, Any]
    version: datetime


class TransactionContended(Exception):
    """What a transaction has read is not so any more."""


class MemoryStore:
    """A Store; verbs for the hook: store.get, store.query, store.commit.

    Versions strictly increase with `clock`. As in Firestore, a write that changes nothing keeps
    its document's version, and a version from the future is refused. A transaction is optimistic:
    its work runs again when what it read has changed.
    """

    def __init__(self, clock: Clock, hook: Hook = no_hook) -> None:
        self.hook = hook
        self._for_reader: Callable[[dict[str, Any]], dict[str, Any]] = copy_fields
        """What a reader gets of the fields of a document: a copy that it may change."""
        self.writes: Counter[str] = Counter()
        """How often each document was written, by path."""
        self._clock = clock
        self._stored: dict[str, _Kept] = {}
        self._collections: dict[str, dict[str, dict[str, Any]]] = {}
        """The fields of the same, by collection."""
        self._newest = datetime.min.replace(tzinfo=clock.now().tzinfo)
        self._commits = 0

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """Everything stored, by path: for a test to look at, copied."""
        return {path: copy_fields(stored.fields) for path, stored in self._stored.items()}

    def get(self, path: str) -> Document:
        """The document, present or not."""
        self.hook("store.get", "before")  # as `ask_hook_around` has it, for the verbs that are asked most
        document = self.look_at(path)
        self.hook("store.get", "after")
        return document

    def query(self, query: Query) -> list[Document]:
        """What matches, in Firestore's order."""
        self.hook("store.query", "before")
        found = self._matching(query)
        self.hook("store.query", "after")
        return found

    def commit(self, writes: Sequence[Write]) -> datetime:
        """Apply all writes or none. Raises: as the port says, and TypeError for odd values."""
        self.hook("store.commit", "before")
        version = self._apply(writes)
        self.hook("store.commit", "after")
        return version

    def transact(self, work: Callable[[Reader], Sequence[Write]]) -> datetime | None:
        """Run `work` over reads that still hold when its writes land."""
        for _ in range(ATTEMPTS):
            reads = _Reads(self)
            try:
                writes = work(reads)
                if not writes:
                    reads.validate()
                    return None
                with ask_hook_around(self.hook, "store.commit"):
                    reads.validate()
                    return self._apply(writes)
            except TransactionContended:
                continue
        raise Throttled("too much contention on these documents")

    def remove(self, path: str) -> None:
        """A document is gone, as by expiry or by somebody's hand. Raises: KeyError."""
        del self._collections[_parent(path)][path], self._stored[path]
        self._commits += 1

    def look_at(self, path: str) -> Document:
        """As `get`, for whoever watches: nothing can go wrong."""
        stored, at = self._stored.get(path), self._now()
        if stored is None:
            _parent(path)
            return Document(path, None, None, at)
        return Document(path, self._for_reader(stored.fields), stored.version, at)

    def look_for(self, query: Query) -> list[Document]:
        """As `query`, for whoever watches."""
        return self._matching(query)

    @property
    def commits(self) -> int:
        """Commits that have been applied."""
        return self._commits

    def _find(self, path: str) -> _Kept | None:
        stored = self._stored.get(path)
        if stored is None:
            _parent(path)
        return stored

    def _matching(self, query: Query) -> list[Document]:
        if len(query.collection.split("/")) % 2 == 0:
            raise Rejected(f"{query.collection!r} is not the path of a collection")
        fields = self._collections.get(query.collection, {})
        if not fields:
            return []
        found = matching_paths(query, fields.items())
        if not found:
            return []
        at, copy = self._now(), self._for_reader
        return [Document(path, copy(fields[path]), self._stored[path].version, at) for path in found]

    def _apply(self, writes: Sequence[Write]) -> datetime:
        at = max(self._clock.now(), self._newest + _TICK)
        staged: dict[str, _Kept] = {}
        for write in writes:
            before = staged.get(write.path) or self._find(write.path)
            after = _after(write, before, at)
            require_size(after)
            unchanged = before is not None and before.fields == after
            staged[write.path] = _Kept(after, before.version if before and unchanged else at)
        for path, stored in staged.items():
            self._stored[path] = stored
            self._collections.setdefault(_parent(path), {})[path] = stored.fields
            self.writes[path] += 1
        self._newest = at
        self._commits += 1
        return max(stored.version for stored in staged.values())

    def _now(self) -> datetime:
        """The store's own clock, which never goes back."""
        now = self._clock.now()
        return now if now > self._newest else self._newest


class _Reads:
    """The reads of one run of a transaction's work."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._documents: dict[str, datetime | None] = {}
        self._queries: list[tuple[Query, list[tuple[str, datetime | None]]]] = []
        self._commits = store.commits

    def get(self, path: str) -> Document:
        document = self._store.get(path)
        self.validate()
        self._documents[path] = document.version
        return document

    def query(self, query: Query) -> list[Document]:
        documents = self._store.query(query)
        self.validate()
        self._queries.append((query, _versions(documents)))
        return documents

    def validate(self) -> None:
        """Raises: Contended when somebody has written what was read."""
        if self._store.commits == self._commits:
            return
        for path, version in self._documents.items():
            stored = self._store._find(path)
            if (stored.version if stored else None) != version:
                raise TransactionContended
        for query, versions in self._queries:
            if _versions(self._store._matching(query)) != versions:
                raise TransactionContended
        self._commits = self._store.commits


def _versions(documents: list[Document]) -> list[tuple[str, datetime | None]]:
    return [(document.path, document.version) for document in documents]


def _after(write: Write, before: _Kept | None, at: datetime) -> dict[str, Any]:
    """The fields that a write leaves behind. Raises: Exists, Moved, Rejected."""
    match write:
        case Create():
            if before is not None:
                raise Exists(f"{write.path} exists already")
            return to_stored_fields(write.fields, at)
        case Update():
            if before is None:
                raise Moved(f"there is no {write.path}")
            _require_version(write, before, at)
            return {**before.fields, **to_stored_fields(write.fields, at)}
        case Put():
            return to_stored_fields(write.fields, at)


def _require_version(write: Update, before: _Kept, at: datetime) -> None:
    if write.version is None or write.version == before.version:
        return
    if write.version > at:
        raise Rejected(f"{write.path}: a version from the future")
    raise Moved(f"{write.path} has changed since {write.version.isoformat()}")


@lru_cache(maxsize=10_000)
def _parent(path: str) -> str:
    """The collection of a document. Raises: Rejected when the path is not a document's."""
    segments = path.split("/")
    if len(segments) % 2 or not all(segments):
        raise Rejected(f"{path!r} is not the path of a document")
    return path.rpartition("/")[0]
