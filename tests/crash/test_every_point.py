from __future__ import annotations

from functools import cache

import pytest

from shared.domain.incidents import incident
from tests.support.faults.fault_injection import Fault, Saboteur, carried, quick, run
from tests.support.faults.fault_points import (
    UNDISTURBED,
    VARIANTS,
    expect_the_same_world,
    undisturbed,
)
from tests.support.runtime.world import World


@pytest.mark.parametrize(
    ("fault", "duplicated", "reversed_order", "point"),
    [(*variant, point) for variant in VARIANTS for point in range(undisturbed(*variant[1:])[1])],
)
def test_a_fault_anywhere_changes_nothing_of_the_end(
    fault: Fault, duplicated: bool, reversed_order: bool, point: int
) -> None:
    """Whatever happens at whichever point, redelivery ends in the same world."""
    saboteur = Saboteur(point, fault)

    world = run(saboteur, duplicated=duplicated, reversed_order=reversed_order)

    assert saboteur.happened
    expect_the_same_world(world)


def run_escalating(saboteur: Saboteur) -> World:
    """The same, with an alert that Cloud Monitoring says is open to the end."""
    world = World(saboteur, quick())
    world.ports.alerts.open["0.abc"] = True
    return carried(world, saboteur)


@cache
def points_escalating() -> range:
    """From the last shift to the end."""
    saboteur = Saboteur()
    run_escalating(saboteur)
    last = max(at for at, point in enumerate(saboteur.points) if "platform" in point)
    return range(last + 1, len(saboteur.points))


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("point", points_escalating())
def test_a_fault_while_a_condition_is_found_to_stand(point: int, fault: Fault) -> None:
    """A person is called in once, in the midst of the watch, and nothing flips."""
    saboteur = Saboteur(point, fault)

    world = run_escalating(saboteur)

    assert saboteur.happened
    assert world.live == UNDISTURBED.live
    assert world.broken_laws() == []
    [one] = world.rollbacks()
    assert one.outcome == "stable through the watch, not over: function_failure_rate"
    assert world.events(one).count("alerts.escalated") == 1
    [trouble] = world.incidents()
    assert trouble.status is incident.IncidentStatus.ESCALATED
