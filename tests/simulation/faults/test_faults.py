import pytest

from tests.simulation.faults.exhaustive import every, path, telling, world_with
from tests.simulation.faults.points import POSSIBLE, Fault, Point
from tests.simulation.scenes.bookshop import LEAST, SMALL, WHOLE
from tests.simulation.world import TICK_SECONDS

BLOCK = 20
STRIDE = 100
SINGLES = list(every(path(WHOLE)))[::STRIDE]
"""Every so many-th fault, others each time the path changes; `make slice` takes them all."""
SMALL_PATH = path(SMALL)


def test_every_kind_of_fault_has_its_place() -> None:
    """No kind of fault is only a name."""
    possible = {fault for faults in POSSIBLE.values() for fault in faults}

    assert possible == set(Fault)


def test_the_small_world_has_every_kind_of_point() -> None:
    """What is small about it is only how often a point comes."""
    large = {point.name for point in path(WHOLE)}

    assert {point.name for point in SMALL_PATH} == large
    assert set(POSSIBLE) <= large


def test_the_least_world_has_both_kinds_of_effect() -> None:
    """One that the platform makes conditional, one that nothing does; it is over in two sweeps."""
    points = path(LEAST)
    names = {point.name for point in points}

    assert {"after platform.shift", "after hosting.release", "before delivery"} <= names
    assert "before builder.build" not in names
    assert points[-1].seconds < 2 * TICK_SECONDS


@pytest.mark.parametrize("first", range(0, len(SINGLES), BLOCK))
def test_no_single_fault_breaks_a_law(first: int) -> None:
    """One fault at points all along the whole path."""
    broken = {
        place: found
        for place in SINGLES[first : first + BLOCK]
        if (found := world_with(WHOLE, place).laws.broken)
    }

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
