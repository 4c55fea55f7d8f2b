"""The report as Markdown, in which text of others can do nothing but be read."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from jinja2 import Environment

from shared.core.durations import describe_duration
from shared.core.text import one_line
from shared.domain.incidents.recovery_times import recovery_lines
from shared.domain.presentation.notice_facts import TrustedText
from shared.domain.presentation.notice_templates import create_text_environment, neutralize_text
from shared.domain.reports.report import IncidentReport
from shared.domain.rollback.pins import unpin_command
from shared.domain.signals.labels import signal_label, status_label

TEMPLATE_FOLDER = Path(__file__).with_name("templates") / "report"
MAX_VALUE_CHARACTERS = 4000
"""Signs of one foreign value; a reason has at most a thousand."""
_LOOK_ALIKE_SIGNS = str.maketrans("_.", "  ")
"""Signs of our own names that would be written with others that look alike."""
_COMMAND = re.compile("\u02cb(rollback [a-z-]+)\u02cb")
_MANY_LINES = re.compile(r"\n{3,}")


def render_markdown(report: IncidentReport) -> str:
    """The whole report, ending in a line break."""
    lifting = unpin_command(report.incident.system, (pin.function for pin in report.pins))
    unpin = TrustedText(one_line(lifting))
    text = (
        _environment()
        .get_template("report.md")
        .render(report=report, unpin=unpin, durations=recovery_lines(report.times, report.written_at))
    )
    return _MANY_LINES.sub("\n\n", text).strip() + "\n"


@cache
def _environment() -> Environment:
    made = create_text_environment(Environment, TEMPLATE_FOLDER, MAX_VALUE_CHARACTERS)
    made.filters |= {"utc": _utc, "moment": _format_timestamp, "span": format_span}
    made.filters["words"] = lambda name: name.translate(_LOOK_ALIKE_SIGNS)
    made.filters |= {"label": status_label, "signal": signal_label}
    made.filters |= {"ours": TrustedText, "lesson": _format_lesson}
    return made


def _utc(at: datetime | None) -> TrustedText:
    return TrustedText(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else "")


def _format_timestamp(stamp: str) -> str | TrustedText:
    """The trail's own text, where somebody has put another thing into it."""
    try:
        return _utc(datetime.fromisoformat(stamp))
    except ValueError:
        return stamp


def format_span(seconds: float) -> TrustedText:
    """Return a number of seconds as people read it."""
    return TrustedText(describe_duration(timedelta(seconds=max(0.0, seconds))))


def _format_lesson(line: str) -> TrustedText:
    """Return the line made harmless, with its commands as they are typed."""
    return TrustedText(_COMMAND.sub(r"`\1`", neutralize_text(line, MAX_VALUE_CHARACTERS)))
