"""The port to stored state: documents, writes, queries, transactions."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from shared.core.codec import DocumentFields, FrozenStruct, decode, encode
from shared.core.errors import Moved, Unavailable

T = TypeVar("T")


class ObjectStore(Protocol):
    """What is written once and read by name: one bucket of Cloud Storage."""

    def create(self, name: str, content: bytes, content_type: str = "application/json") -> None:
        """Keep the content under a name that is free.

        Raises: Exists; Ambiguous (it may be kept), Throttled (it is not).
        """

    def read(self, name: str) -> bytes | None:
        """The content; None where there is no such object."""

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, ascending."""


class _ServerTime:
    def __repr__(self) -> str:
        return "SERVER_TIME"


SERVER_TIME: Any = _ServerTime()
"""A field value that the store replaces by the time of the commit."""


class Document(FrozenStruct):
    """A document as read; its fields are None when there is none."""

    path: str
    fields: DocumentFields | None
    version: datetime | None
    read_at: datetime
    """By the store's clock, which judges leases."""

    def decode(self, kind: type[T]) -> T:
        """Return the record in the document. Raises: msgspec.ValidationError (other fields)."""
        return decode(kind, self.fields)

    def find(self, kind: type[T]) -> T | None:
        """Return the record in the document; None where there is none. Raises: as `decode`."""
        return decode(kind, self.fields) if self.fields is not None else None

    def build_update(self, content: Struct | DocumentFields) -> "Update":
        """Return the update by a record or by fields; the document must be as it was read."""
        fields = content if isinstance(content, dict) else encode(content)
        return Update(self.path, fields, self.version)

    def build_write(self, content: Struct | DocumentFields) -> "Create | Update":
        """Return the update, or the creation where there was no document."""
        update = self.build_update(content)
        return update if self.fields is not None else Create(self.path, update.fields)


class Create(FrozenStruct):
    """Write a document that must not exist."""

    path: str
    fields: DocumentFields


class Update(FrozenStruct):
    """Replace the named top-level fields of a document that must exist, unchanged since `version`.

    A version of None asks for existence alone.
    """

    path: str
    fields: DocumentFields
    version: datetime | None = None


class Put(FrozenStruct):
    """Write a whole document, whatever was there."""

    path: str
    fields: DocumentFields


Write = Create | Update | Put


class Query(FrozenStruct):
    """Documents of one collection; all conditions hold, ascending by `order_by`, then by id."""

    collection: str
    where: tuple[tuple[str, str, Any], ...] = ()
    """Field, one of == < <= > >=, value."""
    order_by: str | None = None
    limit: int | None = None

    @classmethod
    def equal(cls, collection: str, **fields: Any) -> "Query":
        """Return the query of the documents with these fields."""
        return cls(collection, where=tuple((name, "==", wanted) for name, wanted in fields.items()))


class Reader(Protocol):
    """The reads of a transaction."""

    def get(self, path: str) -> Document:
        """The document, present or not."""

    def query(self, query: Query) -> list[Document]:
        """What matches, consistent with every other read of the transaction."""


class Store(Reader, Protocol):
    """Documents with versions: Firestore."""

    def commit(self, writes: Sequence[Write]) -> datetime:
        """Apply all writes or none; the version that every changed document has now.

        Raises: Exists (a Create found one), Moved (another precondition failed), Ambiguous (it may
        have been applied, and a repeat by the client's own retry may hide that behind Exists or
        Moved), Throttled (not applied).
        """

    def transact(self, work: Callable[[Reader], Sequence[Write]]) -> datetime | None:
        """Run `work` over consistent reads and commit what it returns; None when that is nothing.

        `work` may run several times. Raises: as `commit`; Throttled when contention did not end.
        """


def retry_on_conflict(
    attempt: Callable[[], T],
    attempts: int,
    gave_up: str,
    sleep: Callable[[float], object] = lambda _: None,
    seconds: float = 0.1,
) -> T:
    """Return what the attempt returns; repeat it as long as a write conflict ends it.

    Each attempt reads again what its commit is conditional on; it sleeps so many seconds before.
    Raises: Unavailable, with `gave_up`, when so many attempts met a conflict; as the attempt.
    """
    for _ in range(attempts):
        try:
            return attempt()
        except Moved:
            sleep(seconds)
    raise Unavailable(gave_up)
