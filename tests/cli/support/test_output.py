"""What a table looks like on terminals of several widths, and in a file."""

import io
import re
from collections.abc import Callable, Iterable

import pytest

from cli.support import output

HEADINGS = ("deployment", "live from (UTC)", "status", "changed", "git")
NAME, MOMENT = "deploy_20250821_143022", "2025-08-21 14:30:22"
ROWS = (
    (NAME, MOMENT, "BAD", "createOrder, getBook, listBooks and 5 more", ""),
    ("v1", "2025-08-20 09:00:00", "STABLE", "", ""),
)

Printed = Callable[..., list[str]]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    """The lines of a table; `columns` of a terminal, or of none."""

    def lines(rows: object = ROWS, columns: int = 0) -> list[str]:
        stream = io.StringIO()
        stream.isatty = lambda: bool(columns)  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setenv("COLUMNS", str(columns or 80))
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        output.print_table(HEADINGS, rows)  # type: ignore[arg-type]
        plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
        return [line.rstrip() for line in plain.splitlines()]

    return lines


def signs(texts: Iterable[str]) -> list[str]:
    """Every sign but white space, wherever it stands."""
    return sorted("".join("".join(texts).split()))


def test_in_a_file_every_row_is_one_line(printed: Printed) -> None:
    """So that grep finds whole rows; and a column in which nothing stands takes no room."""
    heading, bad, stable = printed()

    assert heading.split() == ["deployment", "live", "from", "(UTC)", "status", "changed"]
    assert re.split("  +", bad) == [*ROWS[0][:4]]
    assert stable.endswith("STABLE")


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_a_terminal_loses_nothing(columns: int, printed: Printed) -> None:
    """However narrow: names stay whole, and what is broken is there to its last sign."""
    lines = printed(columns=columns)

    assert max(map(len, lines)) <= columns
    assert any(line.startswith(NAME) for line in lines)
    assert signs(lines) == signs([*HEADINGS[:4], *(cell for row in ROWS for cell in row)])


def test_where_there_is_room_moments_and_verdicts_stay_whole(printed: Printed) -> None:
    """What is long breaks instead of them."""
    lines = printed(columns=80)

    assert any(MOMENT in line and "BAD" in line for line in lines)


def test_no_rows_are_no_table(printed: Printed) -> None:
    """Headings of nothing say nothing."""
    assert printed(rows=()) == []
