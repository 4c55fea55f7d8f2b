"""The report as one file of HTML, with each phase drawn beside its target; nothing in it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from shared.core.durations import in_words
from shared.domain.presentation.html_templates import Filters, environment, with_style
from shared.domain.reports.markdown import TEMPLATES
from shared.domain.reports.report import Course, Report

if TYPE_CHECKING:
    from jinja2 import Environment


def html(report: Report) -> str:
    """The whole report; every value in it is escaped."""
    return _environment().get_template("report.html").render(report=report)


def style() -> str:
    """By which a content security policy lets the report's own style be."""
    return str(_environment().globals["style_hash"])


def longest(course: Course) -> float:
    """The seconds that fill the width of a rollback's chart, in which all bars are on one scale."""
    known = [value for one in course.took for value in (one.took_seconds, one.target_seconds)]
    return max((value for value in known if value is not None), default=0.0) or 1.0


def share(seconds: float | None, whole: float) -> float:
    """The part of the width that a bar takes, in percent."""
    return round(100 * max(0.0, seconds or 0.0) / whole, 1)


@cache
def _environment() -> Environment:
    filters: Filters = {
        "utc": _utc,
        "moment": _moment,
        "span": _span,
        "longest": longest,
        "share": share,
    }
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
