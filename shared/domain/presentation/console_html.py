"""The console's pages as HTML, in which every value is escaped; nothing stands inline."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.core.durations import in_words
from shared.domain.decision.history import needed, shares
from shared.domain.presentation.html_templates import Filters, environment

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates") / "console"
ASSETS = {"console.css": "text/css; charset=utf-8", "htmx.min.js": "text/javascript; charset=utf-8"}
"""What pages load, and as what."""
MARK_SIGNS = 12
NOTHING = "-"


def rendered(template: str, facts: Mapping[str, Any]) -> str:
    """A page by its template."""
    return _environment().get_template(f"{template}.html").render(facts)


@cache
def asset(name: str) -> bytes:
    """The content of a file that pages load. Raises: KeyError, where there is no such file."""
    if name not in ASSETS:
        raise KeyError(name)
    return (TEMPLATES / name).read_bytes()


@cache
def address(name: str) -> str:
    """Where pages load it from: another content has another address."""
    return f"/assets/{hashlib.sha256(asset(name)).hexdigest()[:MARK_SIGNS]}/{name}"


@cache
def _environment() -> Environment:
    filters: Filters = {
        "utc": _utc,
        "span": _span,
        "seconds": _seconds,
        "needed": needed,
        "shares": shares,
        "slug": _slug,
        "percent": _percent,
    }
    made = environment(TEMPLATES, filters)
    made.globals["asset"] = address
    return made


def _utc(at: datetime | str | None) -> str:
    """A moment to the second; what is no moment, as it is written."""
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at)
        except ValueError:
            return str(at)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def _span(span: timedelta) -> str:
    return in_words(max(timedelta(0), span))


def _seconds(seconds: float | None) -> str:
    return NOTHING if seconds is None else _span(timedelta(seconds=seconds))


def _slug(word: str) -> str:
    """A word of ours as a class: `NOT_TAKEN` is `not-taken`."""
    return str(word).lower().replace("_", "-").replace(" ", "-")


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.0%}"
