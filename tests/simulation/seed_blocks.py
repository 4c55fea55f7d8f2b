"""The seeds of a sweep, in blocks of which `make test` plays the first."""

import pytest
from _pytest.mark import ParameterSet

BLOCK = 20


def split_seeds(seeds: int, later: pytest.MarkDecorator) -> list[ParameterSet]:
    """Return ranges of so many seeds in all; each range but the first has the marker `later`."""
    ranges = [range(first, min(first + BLOCK, seeds)) for first in range(0, seeds, BLOCK)]
    return [pytest.param(one, id=str(one.start), marks=[later] if one.start else []) for one in ranges]
