"""The status page and its feeds, as the bytes of three objects; nothing in them runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from shared.core.codec import FrozenStruct, JsonObject
from shared.core.durations import format_minute
from shared.domain.presentation.html_templates import TemplateFilters, add_style, create_environment
from shared.domain.presentation.status_page import StatusPageIncident, StatusPageView

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE_FOLDER = Path(__file__).with_name("templates") / "status"
PAGE, ATOM, JSON = "index.html", "feed.atom", "feed.json"
OBJECT_NAMES = (PAGE, ATOM, JSON)
HTML_CONTENT_TYPE = "text/html; charset=utf-8"


class RenderedObject(FrozenStruct):
    """One object."""

    content: bytes
    content_type: str


def system_folder(system: str) -> str:
    """Where the objects of a system stand: below what everybody may read."""
    return f"public/{system}"


def render_objects(view: StatusPageView, address: str) -> dict[str, RenderedObject]:
    """The objects by their names in the system's folder; `address` is the folder's own."""
    incidents = (*view.active, *view.past)
    updated_at = max((one.updated_at for one in incidents), default=view.written_at)
    page = _environment().get_template("page.html").render(view=view)
    atom = (
        _environment()
        .get_template("feed.atom")
        .render(view=view, incidents=incidents, updated_at=updated_at, address=address)
    )
    feed = msgspec.json.encode(_json_feed(view, incidents, address))
    return {
        PAGE: RenderedObject(page.encode(), HTML_CONTENT_TYPE),
        ATOM: RenderedObject(atom.encode(), "application/atom+xml; charset=utf-8"),
        JSON: RenderedObject(feed, "application/feed+json; charset=utf-8"),
    }


def _json_feed(view: StatusPageView, incidents: tuple[StatusPageIncident, ...], address: str) -> JsonObject:
    """https://www.jsonfeed.org/version/1.1/ (read 2026-11), and the state of each part."""
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": f"{view.title} status",
        "home_page_url": f"{address}/{PAGE}",
        "feed_url": f"{address}/{JSON}",
        "_status": {
            "written_at": _utc(view.written_at),
            "state": view.mood,
            "parts": [
                {"name": one.name, "state": one.mood, "words": one.words, "uptime": one.uptime}
                for one in view.parts
            ],
        },
        "items": [
            {
                "id": f"{address}/{PAGE}#{one.id}",
                "url": f"{address}/{PAGE}#{one.id}",
                "title": f"{one.title}: {', '.join(one.parts)}" if one.parts else one.title,
                "content_text": "\n".join(_lines(one)),
                "date_published": _utc(one.began_at),
                "date_modified": _utc(one.updated_at),
            }
            for one in incidents
        ],
    }


def _lines(incident: StatusPageIncident) -> list[str]:
    told = [f"{format_minute(one.at)} UTC: {one.words}" for one in incident.lines]
    return [*told, f"Root cause: {incident.cause}"] if incident.cause else told


@cache
def _environment() -> Environment:
    filters: TemplateFilters = {"utc": _utc, "minute": format_minute, "percent": _percent, "span": _span}
    return add_style(create_environment(TEMPLATE_FOLDER, filters), TEMPLATE_FOLDER / "page.css")


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _percent(share: float | None) -> str:
    """Rounded down: what was not whole is never called 100 %."""
    return "unknown" if share is None else f"{int(share * 100_000) / 1000:.3f} %"


def _span(span: timedelta) -> str:
    hours, rest = divmod(-(-int(span.total_seconds()) // 60), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
