"""The console's pages as HTML, in which every value is escaped; nothing stands inline."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.core.durations import describe_duration
from shared.domain.decision.recorded_decision import gate_requirement
from shared.domain.deployments.inventory.traffic import describe_served_revisions
from shared.domain.presentation.html_templates import TemplateFilters, create_environment, format_moment
from shared.domain.signals.labels import signal_label, status_label, verb_label

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE_FOLDER = Path(__file__).with_name("templates") / "console"
ASSET_CONTENT_TYPES = {
    "console.css": "text/css; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
}
ASSET_HASH_CHARACTERS = 12
EMPTY_VALUE = "-"


def render_page(template: str, facts: Mapping[str, Any]) -> str:
    """A page by its template."""
    return _environment().get_template(f"{template}.html").render(facts)


@cache
def read_asset(name: str) -> bytes:
    """The content of a file that pages load. Raises: KeyError, where there is no such file."""
    if name not in ASSET_CONTENT_TYPES:
        raise KeyError(name)
    return (TEMPLATE_FOLDER / name).read_bytes()


@cache
def asset_url(name: str) -> str:
    """Where pages load it from: another content has another address."""
    return f"/assets/{hashlib.sha256(read_asset(name)).hexdigest()[:ASSET_HASH_CHARACTERS]}/{name}"


@cache
def _environment() -> Environment:
    filters: TemplateFilters = {
        "utc": format_moment,
        "span": _span,
        "seconds": _seconds,
        "needed": gate_requirement,
        "shares": describe_served_revisions,
        "slug": _slug,
        "label": status_label,
        "signal": signal_label,
        "action": verb_label,
        "percent": _percent,
    }
    made = create_environment(TEMPLATE_FOLDER, filters)
    made.globals["asset"] = asset_url
    return made


def _span(span: timedelta) -> str:
    return describe_duration(max(timedelta(0), span))


def _seconds(seconds: float | None) -> str:
    return EMPTY_VALUE if seconds is None else _span(timedelta(seconds=seconds))


def _slug(word: str) -> str:
    """A word of ours as a class: `NOT_TAKEN` is `not-taken`."""
    return str(word).lower().replace("_", "-").replace(" ", "-")


def _percent(share: float | None) -> str:
    return EMPTY_VALUE if share is None else f"{share:.0%}"
