"""Many things in parts of a bounded number and size: what one request or one document holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def split_into_chunks(
    things: Iterable[T], most: int, most_bytes: int, size: Callable[[T], int]
) -> Iterator[list[T]]:
    """The things in their order: the same ones always lie in the same parts, none of them empty.

    One that is larger by itself is a part by itself.
    """
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
