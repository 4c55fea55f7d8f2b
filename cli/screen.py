"""What verbs print: one document of JSON for programs, tables and lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
System = Annotated[
    str, typer.Option(metavar="SYSTEM", help="the protected system; may be left out if only one")
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
    "DONE": "green",
    "BAD": "red",
    "STABLE": "green",
    "pass": "green",
    "stop": "bold red",
    "unknown": "yellow",
    "well": "green",
    "doubtful": "yellow",
    "wrong": "bold red",
}
"""Of words that mean the same wherever they stand."""


def console() -> Console:
    """Standard output, as it is now; nothing that is printed is taken for markup."""
    return Console(markup=False, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One document of JSON; times in ISO 8601."""
    typer.echo(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False))


def say(text: str, style: str = "") -> None:
    """One line."""
    console().print(Text(printable(text), style=style))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings; known words in their colours.

    The first column names the row and is never cut or broken; what is too long elsewhere, breaks.
    """
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        shown.add_column(heading, no_wrap=heading == headings[0], overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable(cell), style=STYLES.get(cell, "")) for cell in row))
    console().print(shown)


def printable(text: str) -> str:
    """The text without what could move a terminal's cursor or colour."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def at(moment: datetime | None) -> str:
    """A moment, in UTC to the second; "" when there is none."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def lasting(span: timedelta) -> str:
    """A span as people read it: `2 d 3 h`, `1 h 5 min`, `2 min 5 s`, `7 s`."""
    seconds = max(0, round(span.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h")]
    parts += [(seconds // 60 % 60, "min"), (seconds % 60, "s")]
    said = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(said[:2]) or "0 s"
