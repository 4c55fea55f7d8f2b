import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

from tests.simulation.mutants import HIDING, MUTANTS

PAGE = (Path(__file__).parents[2] / "docs" / "invariants.md").read_text()
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| \d+\. ", line)]
NAMED = sorted(set(re.findall(r"`([a-z_.]+:[A-Za-z_.]+)`", PAGE)))


def test_every_law_has_its_row() -> None:
    """Thirteen laws, in order."""
    assert [int(row.split(".")[0].strip("| ")) for row in ROWS] == list(range(1, 14))


@pytest.mark.parametrize("name", NAMED)
def test_what_keeps_or_attacks_a_law_exists(name: str) -> None:
    """Each module:function that the page names is there."""
    module, _, path = name.partition(":")

    assert reduce(getattr, path.split("."), importlib.import_module(module)) is not None


def test_the_page_names_exactly_the_mutants_that_there_are() -> None:
    """No mutant is forgotten, and none is only a name."""
    named = set(re.findall(r"`([a-z_]+)`", " ".join(row.split("|")[3] for row in ROWS)))

    assert named == {mutant.__name__ for mutant in MUTANTS}


def test_what_is_remembered_of_mutants_is_of_those_that_there_are() -> None:
    """Nothing is remembered of a mutant that has gone."""
    assert set(HIDING) <= {mutant.__name__ for mutant in MUTANTS}


def test_the_files_that_the_page_names_exist() -> None:
    """The page does not point at nothing."""
    root = Path(__file__).parents[2]
    paths = re.findall(r"`(tests/[a-z_/.]+)`", PAGE)

    assert [path for path in paths if not (root / path).exists()] == []
    assert paths
