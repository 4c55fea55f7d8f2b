"""Numbers with their nouns."""

import ast
import re
from pathlib import Path

import pytest

from shared.core.text import count_noun, is_blank

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


def find_raw_durations(path: Path, fields: set[str]) -> list[str]:
    """The places of a file at which an f-string holds a `timedelta` as Python writes it."""
    tree, found = ast.parse(path.read_text()), []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = {
            one.arg
            for one in (*function.args.args, *function.args.kwonlyargs)
            if isinstance(one.annotation, ast.Name) and one.annotation.id == "timedelta"
        }
        for one in ast.walk(function):
            if (
                isinstance(one, ast.Assign)
                and isinstance(one.value, ast.Attribute)
                and one.value.attr in fields
            ):
                names |= {target.id for target in one.targets if isinstance(target, ast.Name)}
        for one in ast.walk(function):
            if isinstance(one, ast.FormattedValue):
                value = one.value
                is_field = isinstance(value, ast.Attribute) and value.attr in fields
                if is_field or (isinstance(value, ast.Name) and value.id in names):
                    found.append(f"{path.relative_to(ROOT)}:{value.lineno}")
    return found


def test_no_text_holds_a_raw_duration() -> None:
    """People read `6 min 2 s`; `0:06:02.227833` is Python's."""
    files = [
        one for folder in ("responders", "shared", "cli", "local") for one in (ROOT / folder).rglob("*.py")
    ]
    field = re.compile(r"^    (\w+): ([^=\n]+?)(?: =|$)", re.M)
    kinds: dict[str, set[str]] = {}
    for one in files:
        for name, kind in field.findall(one.read_text()):
            kinds.setdefault(name, set()).add(kind.removesuffix(" | None"))
    fields = {name for name, known in kinds.items() if known == {"timedelta"}}

    assert "suspect_window" in fields
    assert [place for one in files for place in find_raw_durations(one, fields)] == []


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        *((text, True) for text in (" ", "\n\t", "\u200b", "\u3164", "\u2800", "\ufe0f", "\x00", " \u202e ")),
        *((text, False) for text in ("", ".", "a ", "\u200b1", "支", "é", "🙂", "x\u0301", None, 5, [" "])),
    ],
)
def test_a_text_that_shows_nothing(text: object, blank: bool) -> None:
    """Spaces, controls, marks and fillers; an empty text has a fault of its own."""
    assert is_blank(text) is blank
