"""Every single fault of the plain world, and ordered pairs of them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.faults import POSSIBLE, Fault, Planned
from tests.simulation.schedule import run_planned
from tests.simulation.world import World

Place = tuple[int, Fault]
"""The number of a point on the path, and what goes wrong there."""
PAIRED = frozenset({Fault.CRASH, Fault.APPLIED, Fault.DUPLICATE, Fault.PAUSE, Fault.ORDER})
"""Crash, applied-but-error, duplicate and command."""
WRITES = frozenset(
    {
        "before store.commit",
        "after store.commit",
        "before platform.shift",
        "after platform.shift",
        "before site.release",
        "after site.release",
        "before bus.publish",
        "after bus.publish",
        "before delivery",
        "before acknowledgement",
    }
)
"""Where something is made: between two of these, a fault finds the same world."""


def path() -> list[str]:
    """The points of the undisturbed world, in order."""
    undisturbed = Planned({})
    run_planned(undisturbed)
    return undisturbed.points


def singles(points: list[str]) -> list[Place]:
    """Every fault that is possible at every point."""
    return [
        (number, fault) for number, point in enumerate(points) for fault in POSSIBLE.get(point, ())
    ]


def firsts(points: list[str], *, kinds: frozenset[Fault], writes_only: bool) -> list[Place]:
    """The faults of some kinds with which a pair may begin."""
    return [
        (number, fault)
        for number, fault in singles(points)
        if fault in kinds and (points[number] in WRITES or not writes_only)
    ]


def pairs_after(first: Place, *, kinds: frozenset[Fault], writes_only: bool) -> Iterator[Place]:
    """Every second fault on the path that the first one leads to."""
    disturbed = Planned(dict([first]))
    run_planned(disturbed)
    for number, point in enumerate(disturbed.points):
        if number > first[0] and (point in WRITES or not writes_only):
            for fault in POSSIBLE.get(point, ()):
                if fault in kinds:
                    yield number, fault


def world_with(*faults: Place) -> World:
    """The plain world with these faults in it, after all has happened."""
    return run_planned(Planned(dict(faults)))
