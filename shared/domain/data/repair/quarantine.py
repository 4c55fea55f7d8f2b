"""Documents as they were before a repair, one object per batch, written before it. Pure."""

import hashlib
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from shared.core.codec import DocumentFields, FrozenStruct, StoredDocument, collections_below, from_msgpack
from shared.domain.data.document import DocumentSnapshot, GeoPoint, Reference
from shared.domain.deployments.inventory.inventory_parts import SourceObject

journal_path = collections_below("rollbacks", "journal")

NO_BUCKET_REASON = "there is no bucket for copies of what is changed (ROLLBACK_QUARANTINE_BUCKET)"
"""Why documents are neither brought back nor put back."""
_REFERENCE = 1
_PLACE = 2


class DocumentChange(FrozenStruct):
    """One document before and after."""

    path: str
    before: DocumentSnapshot | None
    """None: it was not there."""
    after: DocumentFields | None
    """None: it was removed."""
    of: datetime | None = None
    """When the version was written that it is brought back to; None: to none."""
    whose: tuple[str, ...] = ()
    """Whom the documents that it stands below named in their fields."""


class WrittenDocument(FrozenStruct):
    """One document that was changed."""

    path: str
    at: datetime | None
    """When it was written so; None: it was removed."""


class SkippedDocument(FrozenStruct):
    """One document that was meant to be changed and was not."""

    path: str
    why: str


class JournalEntry(StoredDocument):
    """What one batch of a repair has changed, `rollbacks/{id}/journal/{name}`."""

    name: str
    step: str
    database: str
    kept: SourceObject
    """The object that holds what stood there before."""
    landed: tuple[WrittenDocument, ...]
    """Empty, with nothing left: it is not known (yet) what has."""
    left: tuple[SkippedDocument, ...] = ()
    taken_out: int = 0
    """How many documents were of people who were erased since, and are named nowhere."""
    copies_gone: int = 0
    """How many of its copies were of such people, and are kept no more."""
    is_of_erased: bool = True
    """Whether a copy is of somebody erased before it was kept; true where that is not known."""
    expires_at: datetime | None = None


def pack_changes(changes: Iterable[DocumentChange]) -> bytes:
    """The changes as bytes: the same for the same ones, and nothing of a value is lost."""
    plain = [_encode_change(one) for one in changes]
    return zlib.compress(msgspec.msgpack.encode(plain, order="deterministic"))


def estimate_size(change: DocumentChange) -> int:
    """About how many bytes the document has after it."""
    return len(change.path.encode()) + len(msgspec.msgpack.encode(_without_structs(change.after)))


def unpack_changes(content: bytes) -> list[DocumentChange]:
    """The changes that were packed."""
    decoder = msgspec.msgpack.Decoder(ext_hook=_from_extension)  # noqa: TID251 - learns no type
    return [
        DocumentChange(
            path, None if before is None else DocumentSnapshot(path, *before), after, of, tuple(whose)
        )
        for path, before, after, of, *whose in decoder.decode(zlib.decompress(content))
    ]


def object_name(system: str, rollback: str, content: bytes) -> str:
    """What an object is called: by its content, so that what is kept again is kept once."""
    return f"{object_prefix(system, rollback)}{hashlib.sha256(content).hexdigest()}"


def object_prefix(system: str, rollback: str) -> str:
    """What the names of all objects of a rollback begin with."""
    return f"{system}/{rollback}/"


def entry_name(step: str, cursor: str) -> str:
    """What the entry of the batch behind a cursor is called: the same whoever writes it."""
    return hashlib.sha256(f"{step}\n{cursor}".encode()).hexdigest()[:32]


def _encode_change(change: DocumentChange) -> list[Any]:
    before, after = change.before, _without_structs(change.after)
    kept = before and [_without_structs(before.fields), before.created_at, before.updated_at]
    return [change.path, kept, after, change.of, *change.whose]


def _without_structs(value: Any) -> Any:
    """The value with what MessagePack does not know as an extension."""
    match value:
        case dict():
            return {name: _without_structs(one) for name, one in value.items()}
        case list():
            return [_without_structs(one) for one in value]
        case Reference():
            return msgspec.msgpack.Ext(_REFERENCE, value.name.encode())
        case GeoPoint():
            return msgspec.msgpack.Ext(_PLACE, msgspec.msgpack.encode((value.latitude, value.longitude)))
    return value


def _from_extension(code: int, content: memoryview) -> Any:
    if code == _REFERENCE:
        return Reference(bytes(content).decode())
    if code == _PLACE:
        return GeoPoint(*from_msgpack(bytes(content), list))
    raise ValueError(f"an extension {code} is not known")
