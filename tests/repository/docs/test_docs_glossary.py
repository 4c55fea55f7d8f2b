"""`docs/glossary.md` beside the code and the other pages: its labels, and the use of its words."""

import re

import pytest

from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.labels import status_label
from tests.support.cli.documented_commands import ROOT

PAGE = ROOT / "docs" / "glossary.md"
WORDS, LABELS = PAGE.read_text().split("\nStored values")
OTHERS = " ".join(" ".join(one.read_text().lower().split()) for one in ROOT.glob("docs/*.md") if one != PAGE)


def test_the_labels_are_those_of_the_product() -> None:
    """All that differ from the stored value, and no other."""
    stored = {one.value for every in (IncidentStatus, RollbackStatus, StepStatus) for one in every}
    differing = {one: status_label(one) for one in stored}
    differing = {one: label for one, label in differing.items() if label.upper().replace(" ", "_") != one}

    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", LABELS, re.M)) == differing


@pytest.mark.parametrize("word", re.findall(r"^\| (?!word|-)([^|]+) \|", WORDS, re.M))
def test_each_word_is_used(word: str) -> None:
    """By another page, in each of its forms."""
    assert [one for one in word.split(", ") if one not in OTHERS] == []
