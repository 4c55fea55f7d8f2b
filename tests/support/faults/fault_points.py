"""The path that is disturbed at each of its points, and how it ends all the same."""

from __future__ import annotations

from functools import cache

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.incidents import incident
from shared.domain.rollback import rollback
from shared.domain.rollback.pins import Pin, holding
from tests.support.faults.fault_injection import Fault, Saboteur, run
from tests.support.runtime.world import World

VARIANTS = (
    (Fault.CRASH, False, False),
    (Fault.CRASH, True, False),
    (Fault.CRASH, False, True),
    (Fault.LOST_ANSWER, False, False),
    (Fault.ZOMBIE, False, False),
    (Fault.ZOMBIE, True, False),
)
"""The fault, whether each message comes twice, whether the newest message comes first."""


@cache
def undisturbed(duplicated: bool = False, reversed_order: bool = False) -> tuple[World, int]:
    """The path on which nothing happens, and how many points it has."""
    saboteur = Saboteur()
    world = run(saboteur, duplicated=duplicated, reversed_order=reversed_order)
    return world, len(saboteur.points)


UNDISTURBED, POINTS = undisturbed(False, False)


def held(world: World) -> dict[str, dict[str, int]]:
    """What is pinned to which revisions."""
    found = [decode(Pin, one.fields) for one in world.ports.store.query(Query("pins"))]
    return {one.function: one.revisions for one in holding(found)}


def expect_the_same_world(world: World) -> None:
    assert world.live == UNDISTURBED.live
    assert world.broken_laws() == []
    [one] = world.rollbacks()
    assert (one.status, one.outcome) == (
        rollback.RollbackStatus.SUCCEEDED,
        "stable through the watch",
    )
    [trouble] = world.incidents()
    assert trouble.status is incident.IncidentStatus.RESOLVED
    assert held(world) == held(UNDISTURBED)
    assert sorted(world.ports.world.applied_shifts) == sorted(
        UNDISTURBED.ports.world.applied_shifts
    )
