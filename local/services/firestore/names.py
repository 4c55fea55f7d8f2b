"""Resource names: `projects/P/databases/D/documents/collection/document/...`, and their order.

Limits of ids: https://firebase.google.com/docs/firestore/quotas (read 2026-11).
"""

import re
from functools import lru_cache
from typing import TypeAlias

from local.services.firestore.statuses import invalid_argument

ID_LIMIT_BYTES = 1500
DEPTH_LIMIT = 100
"""Collections in one name."""

NameKey: TypeAlias = tuple[tuple[int, int | str], ...]

_DATABASE = re.compile(r"projects/[^/]+/databases/[^/]+")
_NUMERIC_ID = re.compile(r"__id(-?\d+)__")
_RESERVED_ID = re.compile(r"__.*__", re.DOTALL)
_ROOT_SEGMENTS = 5


def database_of(name: str) -> str:
    """The database that a document, a parent or a database name lies in: `projects/P/databases/D`.

    Raises: Refused INVALID_ARGUMENT when it lies in none.
    """
    match = _DATABASE.match(name)
    if match is None:
        raise invalid_argument(f'Resource name "{name}" names no database.')
    return match[0]


def check_database(name: str) -> str:
    """The name itself, once it is a database's: `projects/P/databases/D`.

    Raises: Refused INVALID_ARGUMENT.
    """
    if not _DATABASE.fullmatch(name):
        raise invalid_argument(f'"{name}" is not the name of a database.')
    return name


def collection_of(name: str) -> str:
    """The collection that holds a document, by its full name."""
    return name.rpartition("/")[0]


def ancestors(collection: str) -> list[str]:
    """The documents above a collection, the nearest first."""
    segments = collection.split("/")
    return ["/".join(segments[:end]) for end in range(len(segments) - 1, _ROOT_SEGMENTS, -2)]


def check_document(name: str, database: str | None = None) -> str:
    """The name itself, once it is a document's (in `database`, when given).

    Raises: Refused INVALID_ARGUMENT.
    """
    segments = _segments(name, database)
    if not segments or len(segments) % 2:
        raise invalid_argument(f'Document name "{name}" has an odd number of segments below its database.')
    return name


def check_parent(name: str) -> str:
    """The name itself, once it can hold collections: a document, or `.../documents`.

    Raises: Refused INVALID_ARGUMENT.
    """
    if len(_segments(name, None)) % 2:
        raise invalid_argument(f'Parent name "{name}" has an odd number of segments below its database.')
    return name


@lru_cache(maxsize=100_000)
def name_key(name: str) -> NameKey:
    """What names are ordered by: segment by segment, numeric ids before strings."""
    return tuple(_segment_key(segment) for segment in name.split("/"))


def id_key(name: str) -> tuple[int, int | str]:
    """What the documents of one collection are ordered by, by their full names."""
    return _segment_key(name.rpartition("/")[2])


def _segments(name: str, database: str | None) -> list[str]:
    database = database or database_of(name)
    root = f"{database}/documents"
    if name != root and not name.startswith(f"{root}/"):
        raise invalid_argument(f'Resource name "{name}" does not lie in the documents of "{database}".')
    segments = name[len(root) + 1 :].split("/") if name != root else []
    for segment in segments:
        _check_id(segment)
    if len(segments) > 2 * DEPTH_LIMIT:
        raise invalid_argument(f"Resource name is deeper than {DEPTH_LIMIT} collections.")
    return segments


def _check_id(segment: str) -> None:
    if segment in {"", ".", ".."}:
        raise invalid_argument(f'Resource id "{segment}" is invalid.')
    if len(segment) * 4 > ID_LIMIT_BYTES and len(segment.encode()) > ID_LIMIT_BYTES:
        raise invalid_argument(f"Resource id is longer than {ID_LIMIT_BYTES} bytes.")
    if _RESERVED_ID.fullmatch(segment) and not _NUMERIC_ID.fullmatch(segment):
        raise invalid_argument(f'Resource id "{segment}" is invalid because it is reserved.')


def _segment_key(segment: str) -> tuple[int, int | str]:
    numeric = _NUMERIC_ID.fullmatch(segment)
    return (0, int(numeric[1])) if numeric else (1, segment)
