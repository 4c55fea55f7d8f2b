"""The report as one file of HTML, with each phase drawn beside its target; nothing in it runs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from shared.domain.incidents.recovery_times import recovery_lines
from shared.domain.presentation import html_templates
from shared.domain.reports.markdown import TEMPLATE_FOLDER, format_span
from shared.domain.reports.report import IncidentReport, RollbackReport
from shared.domain.signals.labels import signal_label, status_label

if TYPE_CHECKING:
    from jinja2 import Environment


def render_html(report: IncidentReport) -> str:
    """The whole report; every value in it is escaped."""
    return (
        _environment()
        .get_template("report.html")
        .render(report=report, durations=recovery_lines(report.times, report.written_at))
    )


def report_style_hash() -> str:
    """By which a content security policy lets the report's own style be."""
    return str(_environment().globals["style_hash"])


def longest_phase_seconds(course: RollbackReport) -> float:
    """The seconds that fill the width of a rollback's chart, in which all bars are on one scale."""
    known = [value for one in course.took for value in (one.took_seconds, one.target_seconds)]
    return max((value for value in known if value is not None), default=0.0) or 1.0


def bar_percent(seconds: float | None, whole: float) -> float:
    """The part of the width that a bar takes, in percent."""
    return round(100 * max(0.0, seconds or 0.0) / whole, 1)


@cache
def _environment() -> Environment:
    filters: html_templates.TemplateFilters = {
        "label": status_label,
        "signal": signal_label,
        "utc": html_templates.format_moment,
        "span": format_span,
        "longest": longest_phase_seconds,
        "share": bar_percent,
    }
    return html_templates.add_style(
        html_templates.create_environment(TEMPLATE_FOLDER, filters), TEMPLATE_FOLDER / "report.css"
    )
