"""Both worlds of a contract, one after the other."""

from collections.abc import Callable
from typing import Any

import pytest


def both_worlds(memory: Callable[[], object]) -> Any:
    """A fixture: a fresh world in memory, and then that of the fixture `wire`."""

    @pytest.fixture(params=["memory", "wire"])
    def world(request: pytest.FixtureRequest) -> Any:
        return memory() if request.param == "memory" else request.getfixturevalue("wire")

    return world
