from functools import cache

import pytest

from shared.domain.incidents import incident
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    run_bad_release,
    run_with_fault,
    shorten_watch,
)
from tests.support.faults.fault_points import UNDISTURBED, VARIANTS, assert_the_same_world, run_undisturbed
from tests.support.runtime.world import World


@pytest.mark.parametrize(
    ("fault", "duplicated", "reversed_order", "point"),
    [(*variant, point) for variant in VARIANTS for point in range(run_undisturbed(*variant[1:])[1])],
)
def test_a_fault_anywhere_changes_nothing_of_the_end(
    fault: InjectedFault, duplicated: bool, reversed_order: bool, point: int
) -> None:
    """Whatever happens at whichever point, redelivery ends in the same world."""
    saboteur = FaultInjectorHook(point, fault)

    world = run_with_fault(saboteur, duplicated=duplicated, reversed_order=reversed_order)

    assert saboteur.happened
    assert_the_same_world(world)


def run_escalating(saboteur: FaultInjectorHook) -> World:
    """The same, with an alert that Cloud Monitoring says is open to the end."""
    world = World(saboteur, shorten_watch())
    world.ports.alerts.open["0.abc"] = True
    return run_bad_release(world, saboteur)


@cache
def points_escalating() -> range:
    """From the last shift to the end."""
    saboteur = FaultInjectorHook()
    run_escalating(saboteur)
    last = max(at for at, point in enumerate(saboteur.points) if "platform" in point)
    return range(last + 1, len(saboteur.points))


@pytest.mark.parametrize("fault", InjectedFault)
@pytest.mark.parametrize("point", points_escalating())
def test_a_fault_while_a_condition_is_found_to_stand(point: int, fault: InjectedFault) -> None:
    """A person is called in once, in the midst of the watch, and nothing flips."""
    saboteur = FaultInjectorHook(point, fault)

    world = run_escalating(saboteur)

    assert saboteur.happened
    assert world.live == UNDISTURBED.live
    assert world.find_violated_invariants() == []
    [one] = world.rollbacks()
    assert one.outcome == "no regression of what it changed, not over: function failure rate"
    assert world.events(one).count("alerts.escalated") == 1
    [trouble] = world.incidents()
    assert trouble.status is incident.IncidentStatus.ESCALATED
