"""The path that is disturbed at each of its points, and how it ends all the same."""

from functools import cache

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.incidents import incident
from shared.domain.rollback import rollback
from shared.domain.rollback.pins import Pin, active_pins
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, run_with_fault
from tests.support.runtime.world import World

VARIANTS = (
    (InjectedFault.CRASH, False, False),
    (InjectedFault.CRASH, True, False),
    (InjectedFault.CRASH, False, True),
    (InjectedFault.LOST_ANSWER, False, False),
    (InjectedFault.ZOMBIE, False, False),
    (InjectedFault.ZOMBIE, True, False),
)
"""The fault, whether each message comes twice, whether the newest message comes first."""


@cache
def run_undisturbed(duplicated: bool = False, reversed_order: bool = False) -> tuple[World, int]:
    """The path on which nothing happens, and how many points it has."""
    saboteur = FaultInjectorHook()
    world = run_with_fault(saboteur, duplicated=duplicated, reversed_order=reversed_order)
    return world, len(saboteur.points)


UNDISTURBED, POINTS = run_undisturbed(False, False)


def pinned_revisions(world: World) -> dict[str, dict[str, int]]:
    """What is pinned to which revisions."""
    found = [decode(Pin, one.fields) for one in world.ports.store.query(Query("pins"))]
    return {one.function: one.revisions for one in active_pins(found)}


def assert_the_same_world(world: World) -> None:
    assert world.live == UNDISTURBED.live
    assert world.find_violated_invariants() == []
    [one] = world.rollbacks()
    assert (one.status, one.outcome) == (rollback.RollbackStatus.SUCCEEDED, "no regression during monitoring")
    [trouble] = world.incidents()
    assert trouble.status is incident.IncidentStatus.RESOLVED
    assert pinned_revisions(world) == pinned_revisions(UNDISTURBED)
    assert sorted(world.ports.world.applied_shifts) == sorted(UNDISTURBED.ports.world.applied_shifts)
