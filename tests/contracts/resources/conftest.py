"""Both worlds of the resources that a policy names."""

from collections.abc import Iterator

import pytest

from tests.contracts.support.resources import InMemory, OverTheWire, embedded
from tests.contracts.support.worlds import both_worlds


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    with embedded() as cloud:
        yield cloud


world = both_worlds(InMemory)
