"""A day's first sweeps disturbed at every point: old pins are told of once, what is over kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.store import Query
from tests.support.faults.fault_injection import Fault, Saboteur, disturbed, points, quick
from tests.support.rollbacks.pins import MINUTE, said
from tests.support.runtime.world import World

COUNTED = ("store.commit", "bus.publish")
DAY = timedelta(days=1)


def run(saboteur: Saboteur) -> World:
    """A function was led back, and stays pinned for a day; then something goes wrong."""
    policy = quick()
    pinned_for = replace(policy.deployments, pinned_for=30 * MINUTE)
    world = World(saboteur, replace(policy, deployments=pinned_for))
    world.deploy_bad(["getBook"])
    world.alert()
    world.pass_time(12 * MINUTE)
    world.ports.clock.advance(DAY)
    world.start_instances()
    disturbed(world, saboteur, 2 * MINUTE, 2 * MINUTE)
    return world


@pytest.mark.parametrize(("fault", "point"), points(run, COUNTED))
def test_a_fault_anywhere_loses_and_repeats_nothing(fault: Fault, point: int) -> None:
    """Whoever dies between the look and its word: another says it, and marks what is a repeat."""
    saboteur = Saboteur(point, fault, COUNTED)

    world = run(saboteur)

    assert saboteur.happened
    [text] = set(said(world, "pinned"))
    assert "getBook: pinned to getbook-00001" in text
    [ended] = world.incidents()
    store = world.ports.store
    assert [one.path for one in store.query(Query("tallies"))] == [f"tallies/{ended.id}"]
    assert f"systems/bookshop/audit/tallied:{ended.id}" in store.documents
    assert world.broken_laws() == []
