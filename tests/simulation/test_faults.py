from __future__ import annotations

import pytest

from tests.simulation.exhaustive import PAIRED, firsts, pairs_after, path, singles, world_with
from tests.simulation.faults import POSSIBLE, Fault

POINTS = path()
BLOCK = 50
SINGLES = singles(POINTS)
FIRSTS = firsts(POINTS, kinds=PAIRED, writes_only=True)
PAIRS_STRIDE = 53
"""Every so many-th pair is run here, another each time the path changes; chaos runs them all."""


def test_every_kind_of_fault_has_its_place() -> None:
    """No kind of fault is only a name."""
    possible = {fault for faults in POSSIBLE.values() for fault in faults}

    assert possible == set(Fault)


@pytest.mark.parametrize("first", range(0, len(SINGLES), BLOCK))
def test_no_single_fault_breaks_a_law(first: int) -> None:
    """Each fault at each point of the whole path, exhaustively."""
    broken = {
        place: found
        for place in SINGLES[first : first + BLOCK]
        if (found := world_with(place).laws.broken)
    }

    assert broken == {}


@pytest.mark.parametrize("offset", range(6))
def test_no_pair_of_faults_breaks_a_law(offset: int) -> None:
    """Crash, applied-but-error, duplicate and command, one after the other, wherever we write."""
    broken = {}
    for number, first in enumerate(FIRSTS[offset::6]):
        seconds = list(pairs_after(first, kinds=PAIRED, writes_only=True))
        for second in seconds[number % PAIRS_STRIDE :: PAIRS_STRIDE]:
            if found := world_with(first, second).laws.broken:
                broken[first, second] = found

    assert broken == {}
