"""The report as one file of HTML, with each phase drawn beside its target; nothing in it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from shared.durations import in_words
from shared.page_templates import Filters, environment, with_style
from shared.report import Course, Report, Took
from shared.report_rendering import TEMPLATES

if TYPE_CHECKING:
    from jinja2 import Environment


class Bar(Struct, frozen=True):
    """One phase, drawn."""

    phase: str
    took_seconds: float | None
    target_seconds: float | None
    kept: bool
    took_share: float
    """Of the longest that is drawn, in percent."""
    target_share: float | None


class Chart(Struct, frozen=True):
    """The phases of one rollback on one scale."""

    rollback: str
    bars: tuple[Bar, ...]


def html(report: Report) -> str:
    """The whole report; every value in it is escaped."""
    charts = [chart(one) for one in report.rollbacks]
    return _environment().get_template("report.html").render(report=report, charts=charts)


def style() -> str:
    """By which a content security policy lets the report's own style be."""
    return str(_environment().globals["style_hash"])


def chart(course: Course) -> Chart:
    """Its phases beside their targets, so that the longest of all fills the width."""
    known = [value for one in course.took for value in (one.took_seconds, one.target_seconds)]
    longest = max((value for value in known if value is not None), default=0.0) or 1.0
    return Chart(course.rollback, tuple(_bar(one, longest) for one in course.took))


def _bar(one: Took, longest: float) -> Bar:
    return Bar(
        phase=one.phase,
        took_seconds=one.took_seconds,
        target_seconds=one.target_seconds,
        kept=one.kept,
        took_share=_share(one.took_seconds or 0.0, longest),
        target_share=None if one.target_seconds is None else _share(one.target_seconds, longest),
    )


def _share(seconds: float, longest: float) -> float:
    return round(100 * max(0.0, seconds) / longest, 1)


@cache
def _environment() -> Environment:
    filters: Filters = {"utc": _utc, "moment": _moment, "span": _span}
    return with_style(environment(TEMPLATES, filters), TEMPLATES / "report.css")


def _utc(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def _moment(stamp: str) -> str:
    """The trail's own text, where somebody has put another thing into it."""
    try:
        return _utc(datetime.fromisoformat(stamp))
    except ValueError:
        return stamp


def _span(seconds: float) -> str:
    return in_words(timedelta(seconds=max(0.0, seconds)))
