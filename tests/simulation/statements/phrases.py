"""What each word of the product promises: the table that the judge and docs/statements.md share."""

import re
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
    ENDED = "ended"
    """The incident had ended when the phrase was made, whatever is known of its trouble."""
    UNCHANGED = "unchanged"
    """No rollback of the incident has had an effect."""
    UNFAILED = "unfailed"
    """No alert of the incident tells of a failure, or its recovery was observed since."""
    COUNT = "count"
    """No more functions of the part fail than it says, of those that its incident knows of."""
    NOTHING = "nothing"
    """It tells what is being done, and nothing of whether it works."""


class Surface(StrEnum):
    """Where the product says something."""

    PAGE = "public page"
    NOTICE = "notice"
    STATUS = "`rollback status`"
    REPORT = "report"
    CONSOLE = "console"
    WATCH = "`rollback watch`"
    EXPLAIN = "`rollback explain`"


class Phrase(Struct, frozen=True):
    """Words of the product, and what they promise."""

    surface: Surface
    words: str
    """As people read them; `…` stands for what differs."""
    promise: Promise
    corrected: str
    """When the product takes them back, or what follows them."""


SPARED = "recovered … after detection; the target is …, … to spare"
LATE = "recovered … after detection; the target is …, … late"
UNRECOVERED = "not recovered yet; the target is …"
SINCE = tuple(
    f"…: {one} since …" for one in ("not working", "disrupted", "partly disrupted", "minor problem")
)
"""What a notice to users says of parts, and since when."""
RESTORING = frozenset(
    {"We are restoring a previous version.", "We have paused the restoration of a previous version."}
)
"""Words of a rollback, which an undo and an unpin are not."""
_FAILED = "when something is observed to fail, within a minute"
_TROUBLE = "when recovery is observed, within a minute"
_WELL = "when it is observed to fail again, within a minute"
_NEXT = "by the next notice, if it fails again"
_NEXT_WELL = "by the next notice, when recovery is observed"
_REWRITTEN = "by the report that is written anew"
_FINAL = "never: a further alert of the same trouble opens the incident again"
PAGE_PHRASES = (
    Phrase(Surface.PAGE, "Working.", Promise.WORKS, "when an incident that affects the part is shown"),
    Phrase(Surface.PAGE, "All parts work.", Promise.WORKS, "when an incident is shown"),
    Phrase(Surface.PAGE, "It works again. We are monitoring it.", Promise.WORKS, _WELL),
    Phrase(Surface.PAGE, "All parts work again. We are monitoring them.", Promise.WORKS, _WELL),
    Phrase(Surface.PAGE, "The incident is over.", Promise.OVER, _FINAL),
    Phrase(
        Surface.PAGE,
        "We closed the incident. We have not observed whether all parts work again.",
        Promise.NOTHING,
        _FINAL,
    ),
    Phrase(Surface.PAGE, "Not working.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Disrupted.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Partly disrupted.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Minor problem.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Some parts are disrupted.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "Some parts do not work.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "The status is not known.", Promise.NOTHING, "when something is observed"),
    Phrase(Surface.PAGE, "Maintenance.", Promise.NOTHING, "when the fence is lifted, or the change ends"),
    Phrase(
        Surface.PAGE,
        "We have stopped some functions for a short time to protect data.",
        Promise.NOTHING,
        "when the write fence is lifted",
    ),
    Phrase(Surface.PAGE, "We are investigating a problem with ….", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "We are looking for the cause.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "We are restoring a previous version.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "We have paused the restoration of a previous version.", Promise.FAILS, _TROUBLE),
    Phrase(Surface.PAGE, "We are undoing our last change.", Promise.NOTHING, _FAILED),
    Phrase(
        Surface.PAGE,
        "We have paused the undoing of our last change.",
        Promise.NOTHING,
        "when it is continued or cancelled",
    ),
    Phrase(
        Surface.PAGE,
        "We have paused the release of a newer version.",
        Promise.NOTHING,
        "when it is continued or cancelled",
    ),
    Phrase(Surface.PAGE, "We are releasing a newer version.", Promise.NOTHING, "when it is released"),
    Phrase(
        Surface.PAGE,
        "A newer version is released. We are monitoring it.",
        Promise.NOTHING,
        "when it is observed to fail, within a minute",
    ),
    Phrase(Surface.PAGE, "Monitoring.", Promise.NOTHING, _FAILED),
    Phrase(Surface.PAGE, "Under investigation.", Promise.NOTHING, _FAILED),
    Phrase(Surface.PAGE, "We are checking … as a precaution.", Promise.UNFAILED, _FAILED),
    Phrase(
        Surface.PAGE,
        "We are checking a report of a problem with ….",
        Promise.NOTHING,
        "when a second source sees it, or the time to decide is over",
    ),
    Phrase(
        Surface.PAGE,
        "A check failed. We are checking again.",
        Promise.NOTHING,
        "when a check passes, a second one fails, or the monitoring ends",
    ),
    Phrase(Surface.PAGE, "We are checking or changing some parts.", Promise.NOTHING, _FAILED),
    Phrase(Surface.PAGE, "We are changing some parts of ….", Promise.UNFAILED, _FAILED),
    Phrase(Surface.PAGE, "We have paused the change of some parts of ….", Promise.UNFAILED, _FAILED),
    Phrase(
        Surface.PAGE, "We have changed some parts of …. We are monitoring them.", Promise.UNFAILED, _FAILED
    ),
    Phrase(Surface.PAGE, "No incident.", Promise.QUIET, "when an incident is shown"),
)
"""Sentence by sentence: the page says nothing else of whether it works."""
PHRASES = (
    *PAGE_PHRASES,
    Phrase(Surface.NOTICE, "It works again.", Promise.WORKS, _NEXT),
    Phrase(Surface.NOTICE, "The problem is more severe than before.", Promise.FAILS, "by the next notice"),
    Phrase(Surface.NOTICE, "The incident is over.", Promise.OVER, _FINAL),
    Phrase(Surface.NOTICE, "incident … has ended", Promise.OVER, _FINAL),
    Phrase(Surface.NOTICE, "recovered … after detection: …", Promise.WORKS, _NEXT),
    Phrase(Surface.NOTICE, "no regression during monitoring", Promise.OVER, _FINAL),
    Phrase(Surface.NOTICE, "Status: Resolved", Promise.OVER, _FINAL),
    Phrase(Surface.NOTICE, "working again after a problem", Promise.WORKS, _NEXT),
    *(Phrase(Surface.NOTICE, one, Promise.FAILS, _NEXT_WELL) for one in SINCE),
    Phrase(Surface.NOTICE, "incident … is closed", Promise.ENDED, _FINAL),
    Phrase(Surface.NOTICE, "Closed: … UTC", Promise.ENDED, _FINAL),
    Phrase(Surface.NOTICE, "Ended: … UTC", Promise.ENDED, _FINAL),
    Phrase(Surface.NOTICE, "nothing; a report follows", Promise.ENDED, _FINAL),
    Phrase(Surface.NOTICE, "Rollback: nothing was changed: …", Promise.UNCHANGED, "by the next notice"),
    Phrase(
        Surface.NOTICE, "We are changing some parts of …, as planned.", Promise.UNFAILED, "by the next notice"
    ),
    Phrase(Surface.STATUS, SPARED, Promise.IN_TIME, _WELL),
    Phrase(Surface.STATUS, LATE, Promise.WORKS, _WELL),
    Phrase(Surface.STATUS, UNRECOVERED, Promise.FAILS, _TROUBLE),
    Phrase(Surface.STATUS, "over after …", Promise.ENDED, _FINAL),
    Phrase(Surface.STATUS, "Resolved", Promise.OVER, _FINAL),
    Phrase(Surface.STATUS, "no incident is known", Promise.QUIET, "when an incident is opened"),
    Phrase(Surface.REPORT, "it was observed to work again at …", Promise.WORKS, _REWRITTEN),
    Phrase(Surface.REPORT, SPARED, Promise.IN_TIME, _REWRITTEN),
    Phrase(Surface.REPORT, LATE, Promise.WORKS, _REWRITTEN),
    Phrase(Surface.CONSOLE, SPARED.capitalize(), Promise.IN_TIME, _WELL),
    Phrase(Surface.CONSOLE, LATE.capitalize(), Promise.WORKS, _WELL),
    Phrase(Surface.CONSOLE, UNRECOVERED.capitalize(), Promise.FAILS, _TROUBLE),
    Phrase(Surface.CONSOLE, "Resolved", Promise.OVER, _FINAL),
    Phrase(Surface.CONSOLE, "No incident is known.", Promise.QUIET, "when an incident is opened"),
    Phrase(Surface.WATCH, SPARED, Promise.IN_TIME, _WELL),
    Phrase(Surface.WATCH, LATE, Promise.WORKS, _WELL),
    Phrase(Surface.WATCH, UNRECOVERED, Promise.FAILS, _TROUBLE),
    Phrase(Surface.WATCH, "Resolved", Promise.OVER, _FINAL),
    Phrase(Surface.EXPLAIN, "Resolved", Promise.OVER, _FINAL),
)
NAMED = "…"
"""Stands for a name or a number in the words of a phrase."""
PAGE_PROMISES = {one.words: one.promise for one in PAGE_PHRASES}


def _pattern_of(phrase: Phrase) -> tuple[Phrase, str, re.Pattern[str]]:
    """A phrase, its longest fixed words, which are cheap to look for, and its pattern."""
    parts = phrase.words.split(NAMED)
    pattern = r"[^\n]{1,60}?".join(map(re.escape, parts)).strip()
    return phrase, max(parts, key=len), re.compile(pattern)


_PATTERNS = {
    surface: tuple(_pattern_of(one) for one in PHRASES if one.surface is surface) for surface in Surface
}
SINCE_WHEN = re.compile(
    r"^(?P<parts>[^\n:]+): (?P<how>not working|disrupted|partly disrupted|minor problem)"
    r" since (?P<since>\d{4}-\d\d-\d\d \d\d:\d\d) UTC\.$",
    re.MULTILINE,
)
"""As a notice says it whole."""
_SHARE = re.compile(r"^(\d+ of \d+ functions?) of ")


def name_of_part(words: str) -> str:
    """The name of a part, without how many of its functions fail."""
    return _SHARE.sub("", words)


def share_of_part(words: str) -> str:
    """How many functions of a part fail, as `1 of 2 functions`; empty: it is not said."""
    found = _SHARE.match(words)
    return found[1] if found is not None else ""


_SENTENCES = re.compile(r"(?<=[.!?])\s+")


@lru_cache(maxsize=10_000)
def promised_by_sentences(text: str, name: str) -> tuple[tuple[str, Promise | None], ...]:
    """The page's phrases that make up a text, the longest first; what is none has no promise.

    `name`: what the page calls the system.
    """
    text = text.replace(f" {name}.", f" {NAMED}.").replace(f" {name} as ", f" {NAMED} as ")
    sentences = _SENTENCES.split(text.strip())
    found: list[tuple[str, Promise | None]] = []
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
    for phrase, fixed, pattern in _PATTERNS[surface]:
        if fixed in text and (match := pattern.search(text)) is not None:
            found.append((phrase, match.group()))
    return found
