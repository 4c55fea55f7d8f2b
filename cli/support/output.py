"""The output of commands: one document of JSON for programs, tables and lines for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.support.options import complete_systems
from cli.support.parameters import flag
from shared.domain.decision.facts import FunctionDifference
from shared.domain.decision.forecast import DurationForecast

AsJson = Annotated[bool, flag("--json", "print JSON for programs")]
AlreadyJson = Annotated[bool, flag("--json", "no effect: the output is always JSON")]
"""For commands that print nothing else, so that a program may pass it to every command."""
System = Annotated[
    str,
    typer.Option(
        metavar="SYSTEM",
        help="the protected system; optional if there is only one",
        autocompletion=complete_systems,
    ),
]

STYLES = {
    "CRITICAL": "bold red",
    "HIGH": "red",
    "MEDIUM": "yellow",
    "FAILED": "bold red",
    "ESCALATED": "bold red",
    "STOPPED": "yellow",
    "SUCCEEDED": "green",
    "RESOLVED": "green",
    "RECOVERED": "green",
    "RECOVERY_NOT_OBSERVED": "yellow",
    "DONE": "green",
    "BAD": "red",
    "STABLE": "green",
    "KEPT": "green",
    "pass": "green",
    "stop": "bold red",
    "unknown": "yellow",
    "well": "green",
    "doubtful": "yellow",
    "wrong": "bold red",
}
"""Of words that mean the same wherever they stand."""
COLUMN_GAP = 2
UNBROKEN_WIDTH = 20
"""Signs of a column that need not be broken, a moment or a verdict, and that a longer one keeps."""
ENDLESS = 10_000


def console() -> Console:
    """Standard output, as it is now; nothing that is printed is taken for markup."""
    return Console(markup=False, highlight=False, soft_wrap=True)


def print_json(value: Any, *, err: bool = False) -> None:
    """One document of JSON, on standard output unless `err`; times in ISO 8601."""
    typer.echo(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False), err=err)


def print_line(text: str, style: str = "") -> None:
    """One line."""
    console().print(Text(escape_control_characters(text), style=style))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings; known words in their colours. A column without content is left out.

    The first column names the row and is never cut or broken; on a terminal, what is long elsewhere
    breaks. In a file or a pipe every row is one line.
    """
    cells = zip(*([escape_control_characters(cell) for cell in row] for row in rows), strict=True)
    columns = {heading: column for heading, column in zip(headings, cells, strict=False) if any(column)}
    if not columns:
        return
    screen = console()
    if not screen.is_terminal:
        screen.width = ENDLESS
    whole = _unbroken(columns, screen.width)
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, COLUMN_GAP, 0, 0))
    for heading in columns:
        shown.add_column(heading, no_wrap=heading in whole, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        shown.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    screen.print(shown)


def _unbroken(columns: Mapping[str, Sequence[str]], width: int) -> set[str]:
    """The columns that are not broken: the first, and short ones while all of them have room."""
    widths = {name: max(map(len, (name, *column))) for name, column in columns.items()}
    short = {name for name, signs in widths.items() if signs <= UNBROKEN_WIDTH} | {*[*columns][:1]}
    taken = sum(COLUMN_GAP + (widths[name] if name in short else UNBROKEN_WIDTH) for name in columns)
    return short if taken <= width else {*[*columns][:1]}


def escape_control_characters(text: str) -> str:
    """The text without what could move a terminal's cursor or colour."""
    is_clean = text.isprintable()
    return text if is_clean else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def format_time(moment: datetime | None) -> str:
    """A moment, in UTC to the second; "" when there is none."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def format_lasting(span: timedelta) -> str:
    """A span as people read it: `2 d 3 h`, `1 h 5 min`, `2 min 5 s`, `7 s`."""
    seconds = max(0, round(span.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h")]
    parts += [(seconds // 60 % 60, "min"), (seconds % 60, "s")]
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2]) or "0 s"


def print_plan(
    functions: Iterable[FunctionDifference], lines: Iterable[str], ahead: DurationForecast | None = None
) -> None:
    """Print every function with what it serves and would serve, the other lines, and the time."""
    headings = ("  function", "serves", "would serve")
    print_table(headings, ((f"  {one.function}", *one.describe_states()) for one in functions))
    for line in lines:
        print_line(f"  {line}", "yellow")
    if ahead is not None:
        print_line(f"  {ahead}", "" if ahead.fits else "bold yellow")
