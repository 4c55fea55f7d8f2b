"""What each word of the product promises: the table that the judge and docs/statements.md share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct


class Promise(StrEnum):
    """What a phrase claims of what it speaks of."""

    WORKS = "works"
    """Every function and part that it speaks of works now, and this was observed."""
    FAILS = "fails"
    """At least one of them does not work, or nobody has observed yet that it works."""
    OVER = "over"
    """The trouble of the incident was over when the phrase was made."""
    QUIET = "quiet"
    """No incident is open that the reader may see."""
    IN_TIME = "in time"
    """It worked within the target, measured from detection."""
    NOTHING = "nothing"
    """It tells what is being done, and nothing of whether it works."""


class Surface(StrEnum):
    """Where the product says something."""

    PAGE = "public page"
    NOTICE = "notice"
    STATUS = "`rollback status`"
    REPORT = "report"
    CONSOLE = "console"


class Phrase(Struct, frozen=True):
    """Words of the product, and what they promise."""

    surface: Surface
    words: str
    """As people read them; `…` stands for what differs."""
    promise: Promise
    corrected: str
    """When the product takes them back, or what follows them."""


_TROUBLE = "when recovery is observed, within a minute"
_WELL = "when it is observed to fail again, within a minute"
_FINAL = "never: a further alert of the same trouble opens the incident again"
PAGE_PHRASES = (
    Phrase(Surface.PAGE, "Working.", Promise.WORKS, "when an incident that concerns the part is shown"),
    Phrase(Surface.PAGE, "All parts work.", Promise.WORKS, "when an incident is shown"),
    Phrase(Surface.PAGE, "It works again. We watch it for a while.", Promise.WORKS, _WELL),
    Phrase(Surface.PAGE, "All parts work again. We watch them for a while.", Promise.WORKS, _WELL),
    Phrase(Surface.PAGE, "It is over.", Promise.OVER, _FINAL),
    Phrase(Surface.PAGE, "Not working.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Disrupted.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Partly disrupted.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Small trouble.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Some parts are disrupted.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Some parts do not work.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Nothing is known.", Promise.NOTHING, "when something is known"),
    Phrase(Surface.PAGE, "Maintenance.", Promise.NOTHING, "when the fence is lifted"),
    Phrase(
        Surface.PAGE,
        "Some of it is stopped for a short while, so that nothing is lost.",
        Promise.NOTHING,
        "when the fence is lifted",
    ),
    Phrase(Surface.PAGE, "We have seen trouble and look into it.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "We look for the cause.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "We bring back the last version that worked.", Promise.FAILS, _TROUBLE),
    Phrase(
        Surface.PAGE,
        "We have closed it. We have not observed whether all of it works again.",
        Promise.NOTHING,
        _FINAL,
    ),
    Phrase(Surface.PAGE, "No incident.", Promise.QUIET, "when an incident is shown"),
)
"""Sentence by sentence: the page says nothing else of whether it works."""
PHRASES = (
    *PAGE_PHRASES,
    Phrase(Surface.NOTICE, "all clear", Promise.WORKS, _FINAL),
    Phrase(Surface.NOTICE, ": it works again", Promise.WORKS, "by the next notice, if it fails again"),
    Phrase(
        Surface.NOTICE, "It works again. We watch it", Promise.WORKS, "by the next notice, if it fails again"
    ),
    Phrase(Surface.NOTICE, "It is over.", Promise.OVER, _FINAL),
    Phrase(Surface.NOTICE, "verified: …", Promise.WORKS, "by the next notice, if it fails again"),
    Phrase(Surface.NOTICE, "stable through the watch", Promise.OVER, _FINAL),
    Phrase(Surface.NOTICE, "Status: RESOLVED", Promise.OVER, _FINAL),
    Phrase(Surface.STATUS, "restored with … to spare", Promise.IN_TIME, _WELL),
    Phrase(Surface.STATUS, "restored … late", Promise.WORKS, _WELL),
    Phrase(Surface.STATUS, "RESOLVED", Promise.OVER, _FINAL),
    Phrase(Surface.STATUS, "over after …", Promise.OVER, _FINAL),
    Phrase(Surface.STATUS, "no incident is known", Promise.QUIET, "when an incident is opened"),
    Phrase(Surface.REPORT, "it works again since …", Promise.WORKS, "by the report that is written anew"),
    Phrase(
        Surface.REPORT, "seen to be back, or over, …", Promise.WORKS, "by the report that is written anew"
    ),
    Phrase(Surface.REPORT, "in time.", Promise.IN_TIME, "by the report that is written anew"),
    Phrase(Surface.CONSOLE, "Restored … in time", Promise.IN_TIME, _WELL),
    Phrase(Surface.CONSOLE, "Restored … late", Promise.WORKS, _WELL),
    Phrase(Surface.CONSOLE, "RESOLVED", Promise.OVER, _FINAL),
    Phrase(Surface.CONSOLE, "over since …", Promise.OVER, _FINAL),
    Phrase(Surface.CONSOLE, "No incident is known.", Promise.QUIET, "when an incident is opened"),
)
PAGE_PROMISES = {one.words: one.promise for one in PAGE_PHRASES}
_PATTERNS = tuple(
    (one, re.compile(r".{1,60}?".join(re.escape(part) for part in one.words.split("…")).strip()))
    for one in PHRASES
)
_SENTENCES = re.compile(r"(?<=[.!?])\s+")


def promised_by_sentence(text: str) -> Iterator[tuple[str, Promise | None]]:
    """Each run of the page's words that stands in the table; what does not has no promise."""
    yield from _page_parts(text)


@lru_cache(maxsize=10_000)
def _page_parts(text: str) -> tuple[tuple[str, Promise | None], ...]:
    """The longest phrases that make up a text of the page."""
    sentences, found = _SENTENCES.split(text.strip()), []
    while sentences:
        for count in range(len(sentences), 0, -1):
            words = " ".join(sentences[:count])
            if words in PAGE_PROMISES or count == 1:
                found.append((words, PAGE_PROMISES.get(words)))
                del sentences[:count]
                break
    return tuple(found)


def phrases_in(surface: Surface, text: str) -> list[tuple[Phrase, str]]:
    """The phrases of a surface that a text contains, each with the words as they stand there."""
    found = []
    for phrase, pattern in _PATTERNS:
        if phrase.surface is surface and (match := pattern.search(text)) is not None:
            found.append((phrase, match.group()))
    return found
