from __future__ import annotations

import pytest

from shared import incident, rollback
from tests.crash import Fault, Saboteur, run
from tests.world import World


def counted_points() -> int:
    """How many points the undisturbed path has."""
    saboteur = Saboteur()
    run(saboteur)
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


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("point", range(POINTS))
def test_a_fault_anywhere_changes_nothing_of_the_end(point: int, fault: Fault) -> None:
    """Whatever happens at whichever point, redelivery ends in the same world."""
    saboteur = Saboteur(point, fault)

    world = run(saboteur)

    assert saboteur.happened
    expect_the_same_world(world)
