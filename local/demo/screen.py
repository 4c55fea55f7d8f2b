"""What is shown: lines with the cloud's time, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

INDENT = 10
"""The width of a time and what parts it from the text."""
PROGRESS_STEPS = 4

Counts = Mapping[str, tuple[int, int]]
"""Done and total, by the name of what is counted."""


class Screen:
    """A console; nothing that is said is taken for markup.

    `picture` records the main lines: headings, the first line of each act, bold lines and tables.
    """

    def __init__(self, console: Console, picture: Console | None = None) -> None:
        self._console = console
        self._picture = picture
        self._is_first = False
        self._newest: datetime | None = None
        self.disordered: list[str] = []
        """The lines that are older than a line before them in their part."""
        self.missed: list[str] = []
        """The phases whose targets were missed."""

    def act(self, title: str) -> None:
        """Begin a part."""
        self._print("")
        self._print(Text(title, style="bold cyan"))
        self._is_first = True
        self._newest = None

    def say(self, text: str, at: datetime | None = None, style: str = "") -> None:
        """Show one line, with the time of the event that it reports."""
        if at is not None:
            shown_at = at.replace(microsecond=0)
            if self._newest is not None and shown_at < self._newest:
                self.disordered.append(text)
            self._newest = shown_at
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=INDENT - 2, style="dim", no_wrap=True)
        grid.add_column(style=style)
        grid.add_row(f"{at:%H:%M:%S}" if at else "", Text(text))
        self._print(grid, is_main=self._is_first or "bold" in style)
        self._is_first = False

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        """Rows under headings, indented like what is said."""
        table = Table(*headings, box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
        self._print(Padding(table, (0, 0, 0, INDENT), expand=False))

    def _print(self, shown: RenderableType, *, is_main: bool = True) -> None:
        self._console.print(shown)
        if is_main and self._picture is not None:
            self._picture.print(shown)

    @contextmanager
    def waiting(self, what: str) -> Iterator[Status]:
        """Show that something is waited for; where there is no terminal, nothing."""
        with self._console.status(Text(what, style="dim"), spinner="line") as status:
            yield status

    def progress(self, what: str) -> ProgressDisplay:
        """Counts how far something is, in a few lines."""
        return ProgressDisplay(what, self)


class ProgressDisplay:
    """How much is done of each thing that is counted, and of all of it."""

    def __init__(self, what: str, screen: Screen) -> None:
        self._what = what
        self._screen = screen
        self._said = -1

    def show(self, counts: Counts, at: datetime, ahead: str = "") -> None:
        """Say how far it is now, and what is to be expected, once in each quarter."""
        done = sum(one for one, _ in counts.values())
        total = sum(of for _, of in counts.values())
        if done * PROGRESS_STEPS // total > self._said:
            self._said = done * PROGRESS_STEPS // total
            parts = counts if len(counts) > 1 else {}
            listed = ", ".join(f"{name} {one}/{of}" for name, (one, of) in parts.items())
            said = f"{done} of {total} {self._what} {listed and f'({listed})'}"
            self._screen.say(f"{said}{ahead and f'; {ahead}'}", at)


def mark(holds: bool) -> Text:
    """A check mark, or a cross."""
    return Text("✓", style="bold green") if holds else Text("✗", style="bold red")
