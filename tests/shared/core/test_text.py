"""Numbers with their nouns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.core.text import count_noun

ROOT = Path(__file__).parents[3]
COUNTED = re.compile(r"\{len\([^{}]*\)\} (functions|documents|probes|steps|alerts|requests)\b")


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries")], ids=["none", "one", "two"]
)
def test_a_noun_agrees_with_its_number(number: int, said: str) -> None:
    """Also where its plural is not formed by an s."""
    assert count_noun(number, "entry", "entries") == said
    assert count_noun(number, "step") == f"{number} step{'' if number == 1 else 's'}"


def test_no_text_counts_without_it() -> None:
    """A length before a noun in the plural says "1 functions" one day."""
    files = [one for folder in ("responders", "shared", "cli") for one in (ROOT / folder).rglob("*.py")]
    lines = [line for one in files for line in one.read_text().splitlines() if COUNTED.search(line)]

    assert [line for line in lines if " of {" not in line] == []
