"""A day's first sweeps disturbed at every point: old pins are told of once, what is over kept."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.store import Query
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    enumerate_fault_points,
    pass_time_with_fault,
    shorten_watch,
)
from tests.support.rollbacks.pins import MINUTE, recorded_notice_texts
from tests.support.runtime.world import World

COUNTED = ("store.commit", "bus.publish")
DAY = timedelta(days=1)


def run(saboteur: FaultInjectorHook) -> World:
    """A function was led back, and stays pinned for a day; then something goes wrong."""
    policy = shorten_watch()
    pinned_for = replace(policy.deployments, pinned_for=30 * MINUTE)
    world = World(saboteur, replace(policy, deployments=pinned_for))
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(12 * MINUTE)
    world.ports.clock.advance(DAY)
    world.start_instances()
    pass_time_with_fault(world, saboteur, 2 * MINUTE, 2 * MINUTE)
    return world


@pytest.mark.parametrize(("fault", "point"), enumerate_fault_points(run, COUNTED))
def test_a_fault_anywhere_loses_and_repeats_nothing(fault: InjectedFault, point: int) -> None:
    """Whoever dies between the look and its word: another says it, and marks what is a repeat."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)

    world = run(saboteur)

    assert saboteur.happened
    [text] = set(recorded_notice_texts(world, "pinned"))
    assert "getBook: pinned to getbook-00001" in text
    [ended] = world.incidents()
    store = world.ports.store
    assert [one.path for one in store.query(Query("tallies"))] == [f"tallies/{ended.id}"]
    assert f"systems/bookshop/audit/tallied:{ended.id}" in store.documents
    assert world.find_violated_invariants() == []
