from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest

from tests.terraform.evaluator.evaluator import Configuration, evaluated

TERRAFORM = Path(__file__).parent.parent.parent / "terraform"
EXAMPLES = ("minimal", "one-project", "two-projects")


@cache
def configuration(example: str) -> Configuration:
    """An example, evaluated once."""
    return evaluated(TERRAFORM / "examples" / example)


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> Configuration:
    """Each example in turn."""
    return configuration(request.param)


@pytest.fixture
def two_projects() -> Configuration:
    """The example in which everything is switched on, for a test to change."""
    return deepcopy(configuration("two-projects"))
