"""Which suites a run of the judge has."""

import re
from importlib import import_module
from pathlib import Path

from tests.judge.__main__ import SERVICES, read_arguments

FOLDER = Path(__file__).parent
CONTINUOUS = FOLDER.parents[1] / ".ci" / "run"


def test_unless_some_are_named_every_suite_judges() -> None:
    """None is left out, so that a green run says what it seems to."""
    judges = {
        file.stem
        for file in FOLDER.glob("[a-z]*.py")
        if not file.stem.startswith("test_") and hasattr(import_module(f"tests.judge.{file.stem}"), "is_good")
    }

    assert {*read_arguments([]).services} == judges == {*SERVICES}


def test_several_may_be_named() -> None:
    """As continuous integration names those for which it has time."""
    [named] = re.findall(r'make judge SERVICE="(.+)"', CONTINUOUS.read_text())

    assert read_arguments(named.split()).services == ["firestore", "pubsub"]
