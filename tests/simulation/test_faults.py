from __future__ import annotations

import pytest

from tests.simulation.estate import POLICY
from tests.simulation.exhaustive import every, path, seconds, telling, world_with
from tests.simulation.faults import POSSIBLE, Fault, Point

BLOCK = 50
SINGLES = list(every(path(policy=POLICY)))
SMALL_PATH = path()
FIRSTS = list(telling(SMALL_PATH))
PAIRS_STRIDE = 53
"""Every so many-th pair is run here, another each time the path changes; a slice runs them all."""


def test_every_kind_of_fault_has_its_place() -> None:
    """No kind of fault is only a name."""
    possible = {fault for faults in POSSIBLE.values() for fault in faults}

    assert possible == set(Fault)


def test_the_small_world_has_every_kind_of_point() -> None:
    """What is small about it is only how often a point comes."""
    large = {point.name for point in path(policy=POLICY)}

    assert {point.name for point in SMALL_PATH} == large
    assert set(POSSIBLE) <= large


@pytest.mark.parametrize("first", range(0, len(SINGLES), BLOCK))
def test_no_single_fault_breaks_a_law(first: int) -> None:
    """Each fault at each point of the whole path, exhaustively."""
    broken = {
        place: found
        for place in SINGLES[first : first + BLOCK]
        if (found := world_with(place, policy=POLICY).laws.broken)
    }

    assert broken == {}


@pytest.mark.parametrize("offset", range(6))
def test_no_pair_of_faults_breaks_a_law(offset: int) -> None:
    """Crash, applied-but-error, duplicate and command, one after the other."""
    broken = {}
    for number, first in enumerate(FIRSTS[offset::6]):
        for second in seconds(first, telling)[number % PAIRS_STRIDE :: PAIRS_STRIDE]:
            if found := world_with(first, second).laws.broken:
                broken[first, second] = found

    assert broken == {}


def test_a_process_dies_once_between_two_writes() -> None:
    """Nobody can tell such deaths apart, unless somebody writes meanwhile, or time passes."""
    points = [
        Point("before store.commit", "work-1", 0.0),
        Point("after store.commit", "work-1", 0.0),
        Point("before bus.publish", "work-1", 0.1),
        Point("after store.commit", "notices-2", 0.2),
        Point("before bus.publish", "work-1", 0.3),
        Point("before store.commit", "work-1", 0.4),
        Point("before store.commit", "work-1", 2.0),
        Point("before acknowledgement", "work-1", 2.1),
        Point("before store.commit", "work-1", 2.2),
    ]

    crashes = [number for number, fault in telling(points) if fault is Fault.CRASH]

    assert crashes == [0, 1, 3, 4, 6, 8]
