"""Text for people: names in a list, suggestions, and text of others shortened to one line."""

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MAX_NAMES = 5
MAX_LINES = 10
"""So many lines are read in a notice; the trail has all of them."""
MAX_CHARACTERS = 200
"""So many of one text: a path of Firestore holds up to 6 KiB."""
BLANK_SIGNS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that show nothing: fillers of Hangul, and Braille without dots."""
MAX_REASON_CHARACTERS = 1_000
"""So many of a reason are stored and sent: a reason may quote a whole message."""


def suggest_names(name: object, known: Iterable[str]) -> str:
    """A question for the known names most like this one, to be said after it; "" when none is."""
    alike = {one.lower(): one for one in known}
    close = get_close_matches(str(name).lower(), alike, n=3)
    return f"; did you mean {' or '.join(alike[one] for one in close)}?" if close else ""


def last_segment(name: str) -> str:
    """The part of a path, or of the full name of a resource, behind the last slash."""
    return name.rpartition("/")[2]


def one_line(text: str) -> str:
    """The text without line breaks, control and direction signs, or signs of no width."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text).split())


def is_blank(text: object) -> bool:
    """Whether it is a text, not an empty one, without a sign that a reader sees."""
    signs = text if isinstance(text, str) else ""
    return bool(signs) and all(one in BLANK_SIGNS or unicodedata.category(one)[0] in "CMZ" for one in signs)


def count_noun(number: int, singular: str, plural: str = "") -> str:
    """The number with its noun in the right form: `1 function`, `2 functions`."""
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"


def shorten(whole: str, most: int = MAX_CHARACTERS) -> str:
    """The text, without its middle where it is longer than that."""
    if len(whole) <= most:
        return whole
    return f"{whole[: most // 2]}…{whole[-(most - 1 - most // 2) :]}"


def cut_reason(reason: str) -> str:
    """Return the first `MAX_REASON_CHARACTERS` of a reason, and how many more there were."""
    more = len(reason) - MAX_REASON_CHARACTERS
    return f"{reason[:MAX_REASON_CHARACTERS]}… ({more} more characters are cut)" if more > 0 else reason


def first_lines(every: Sequence[str], most: int = MAX_LINES) -> list[str]:
    """The first lines, and one that counts the rest where there is any."""
    more = len(every) - most
    return [*every[:most], *([f"and {more} more"] if more > 0 else [])]


def join_names(names: Sequence[str], most: int = MAX_NAMES) -> str:
    """The first names and the number of the rest: `a, b and 3 more`; no names: empty."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
