"""Long lists and texts, as far as people read them: the first of it, and how much more there is."""

from __future__ import annotations

from collections.abc import Sequence

NAMES = 5
"""So many names are read within a line."""
LINES = 10
"""So many lines are read in a notice; the trail has all of them."""
CHARACTERS = 200
"""So many of one text: a path of Firestore holds up to 6 KiB."""


def text(whole: str, most: int = CHARACTERS) -> str:
    """The text, without its middle where it is longer than that."""
    if len(whole) <= most:
        return whole
    return f"{whole[: most // 2]}…{whole[-(most - 1 - most // 2) :]}"


def lines(every: Sequence[str], most: int = LINES) -> list[str]:
    """The first lines, and one that counts the rest where there is any."""
    more = len(every) - most
    return [*every[:most], *([f"and {more} more"] if more > 0 else [])]


def phrase(names: Sequence[str], most: int = NAMES) -> str:
    """The first names and the number of the rest: `a, b and 3 more`; no names: empty."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
