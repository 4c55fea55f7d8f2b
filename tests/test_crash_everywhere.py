from __future__ import annotations

import pytest

from shared import incident, rollback
from tests.crash import Fault, Saboteur, run
from tests.world import World

VARIANTS = (
    (Fault.CRASH, False, False),
    (Fault.CRASH, True, False),
    (Fault.CRASH, False, True),
    (Fault.LOST_ANSWER, False, False),
    (Fault.ZOMBIE, True, False),
)
"""The fault, whether each message comes twice, whether the newest message comes first."""


def counted_points(duplicated: bool = False, reversed_order: bool = False) -> int:
    """How many points the undisturbed path has."""
    saboteur = Saboteur()
    run(saboteur, duplicated=duplicated, reversed_order=reversed_order)
    return len(saboteur.points)


POINTS = counted_points()
UNDISTURBED = run(Saboteur())


def expect_the_same_world(world: World) -> None:
    assert world.live == UNDISTURBED.live
    assert world.broken_laws() == []
    [one] = world.rollbacks()
    assert (one.status, one.outcome) == (rollback.Status.SUCCEEDED, "stable through the watch")
    [trouble] = world.incidents()
    assert trouble.status is incident.Status.RESOLVED
    assert sorted(world.ports.world.applied_shifts) == sorted(
        UNDISTURBED.ports.world.applied_shifts
    )


@pytest.mark.parametrize(
    ("fault", "duplicated", "reversed_order", "point"),
    [(*variant, point) for variant in VARIANTS for point in range(counted_points(*variant[1:]))],
)
def test_a_fault_anywhere_changes_nothing_of_the_end(
    fault: Fault, duplicated: bool, reversed_order: bool, point: int
) -> None:
    """Whatever happens at whichever point, redelivery ends in the same world."""
    saboteur = Saboteur(point, fault)

    world = run(saboteur, duplicated=duplicated, reversed_order=reversed_order)

    assert saboteur.happened
    expect_the_same_world(world)
