"""Documents of an application as of a moment, with every value that Firestore holds, unchanged.

A value is None, a bool, an int, a float, a str, bytes, an aware datetime, a list, a dict, a
Reference or a GeoPoint.
"""

import re
from datetime import datetime
from typing import Any

from shared.core.codec import DocumentFields, FrozenStruct
from shared.core.errors import RollbackError
from shared.domain.policy.document_scope import Scope

_ROOT = "/documents/"
_NUMBER = re.compile("__id(-?[0-9]+)__")
"""What a document is called that had a number for a name in Datastore."""
_NUMBERS = range(-(2**63), 2**63)
_LONGEST_ID = 1500
_LONGEST_PATH = 6 * 1024
"""Bytes of an id, and of all of a name; with what no id may be
(https://firebase.google.com/docs/firestore/quotas, read 2026-11-27)."""
_NO_ID = re.compile(r"\.\.?|__.*__", re.DOTALL)
RewriteResult = datetime | RollbackError | None
"""What became of one rewrite: when it was written, None where it is gone since; or why it is not:
Moved (somebody has written it since), Rejected (the database does not take it), Unavailable (not
known)."""
REWRITE_TIMEOUT_SECONDS = 10.0
"""A request that writes documents back has landed after so long, or never does."""
MAX_REWRITE_BYTES = 2 * 2**20
"""So much of documents, as MessagePack, is one request whatever they hold: a value takes up to four
times as much there, and a request at most 10 MiB."""


class Reference(FrozenStruct):
    """A field that names a document, perhaps of another database, whether or not it is there."""

    name: str
    """In full: `projects/P/databases/D/documents/users/ada`."""

    @property
    def path(self) -> str:
        """The document's path in its database, `users/ada`."""
        return self.name.partition(_ROOT)[2]


class GeoPoint(FrozenStruct):
    """A place on the earth, in degrees."""

    latitude: float
    longitude: float


class DocumentSnapshot(FrozenStruct):
    """One document as it was at the moment that was asked for."""

    path: str
    """In its database: `users/ada`."""
    fields: DocumentFields
    created_at: datetime
    updated_at: datetime
    """When it was written so: what a write that must not go over a newer one names."""


class Rewrite(FrozenStruct):
    """One document as it is to be, unless somebody has written it since it was read."""

    path: str
    fields: DocumentFields | None
    """None: it is to be gone."""
    seen_at: datetime | None
    """When it was written as it was read; None: it was not there."""


def path_sort_key(path: str) -> tuple[bytes, ...]:
    """What sorts paths as the database does."""
    parts = path.split("/")
    if "__id" in path:
        return tuple(it for part in parts for it in _part_sort_key(part))
    return tuple(part.encode() for part in parts)


def _part_sort_key(part: str) -> tuple[bytes, ...]:
    """What sorts one part: an empty one, which no other is, and the number; else its text."""
    found = _NUMBER.fullmatch(part)
    if found is None or int(found[1]) not in _NUMBERS:
        return (part.encode(),)
    return b"", (int(found[1]) - _NUMBERS.start).to_bytes(8)


def is_document_id(text: str) -> bool:
    """Whether a document may be called so; a whole request is refused that asks for another one."""
    if not text or "/" in text or len(text.encode()) > _LONGEST_ID:
        return False
    return not _NO_ID.fullmatch(text) or bool(_NUMBER.fullmatch(text))


def is_document_path(text: str) -> bool:
    """Whether there may be a document of that path."""
    parts = text.split("/")
    return len(parts) % 2 == 0 and all(map(is_document_id, parts)) and len(text.encode()) <= _LONGEST_PATH


def collection_of(path: str) -> str:
    """The path of the collection that a document lies in."""
    return path.rpartition("/")[0]


def documents_above(path: str) -> list[str]:
    """The paths of the documents that one stands below, the first first."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(2, len(parts), 2)]


def is_in_scope(scope: Scope, path: str) -> bool:
    """Whether a document is one of those that are meant."""
    collection = collection_of(path)
    if scope.everywhere:
        return scope.collection in ("", collection.rpartition("/")[2])
    return scope.collection == collection


def is_same_value(one: Any, other: Any) -> bool:
    """Whether two values are stored alike: 1 is not 1.0, and what is not a number equals itself."""
    if type(one) is not type(other):
        return False
    match one:
        case dict():
            return one.keys() == other.keys() and all(is_same_value(one[key], other[key]) for key in one)
        case list():
            return len(one) == len(other) and all(map(is_same_value, one, other))
        case float():
            return repr(one) == repr(other)
    return bool(one == other)
