"""Many things in parts of a bounded number and size: what one request or one document holds."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 900_000
"""So much a document that grows with its input may hold: Firestore takes 1 MiB, with the name of
the document (firebase.google.com/docs/firestore/quotas, read 2026-11)."""


def count_stored_bytes(value: Any) -> int:
    """Return how many bytes Firestore counts for a value, or a few more.

    Source: firebase.google.com/docs/firestore/storage-size (read 2026-11).
    """
    if isinstance(value, str):
        return len(value.encode(errors="replace")) + 1
    if isinstance(value, list | tuple):
        return sum(map(count_stored_bytes, value)) + 1
    if isinstance(value, Mapping):
        return sum(map(count_stored_bytes, (*value, *value.values()))) + 1
    return len(value) + 1 if isinstance(value, bytes) else 16


def split_into_chunks(
    things: Iterable[T], most: int, most_bytes: int, size: Callable[[T], int]
) -> Iterator[list[T]]:
    """Split in order, always the same way, into non-empty parts; a large thing is its own part."""
    part: list[T] = []
    takes = 0
    for thing in things:
        more = size(thing)
        if part and (len(part) == most or takes + more > most_bytes):
            yield part
            part, takes = [], 0
        part.append(thing)
        takes += more
    if part:
        yield part
