"""An undo of a rebuild over the wire: Google's clients for Run, Functions and Storage between."""

from datetime import timedelta

import pytest

from local.application.sources import read_release
from shared.core import topics
from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import FunctionState, Generation
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, Rollback, RollbackStatus
from tests.e2e.support.deployments import kept_functions
from tests.e2e.support.world import World, pass_time, until

MINUTE = timedelta(minutes=1)
NEWER, OLDER = "orderStatus", "listBooks"
"""Of the 2nd generation, and of the 1st."""


def announce(world: World, name: str, *, stable: bool = False) -> None:
    said = {"version": 1, "system": "bookshop", "deployment": name, "stable": stable}
    world.publish(topics.DEPLOYMENTS, said)


def is_stable(world: World, name: str) -> bool:
    found = world.evidence.deployment(name)
    return found is not None and found.status is DeploymentStatus.STABLE


def is_kept(world: World) -> bool:
    """Whether all that the live release is built from is kept."""
    fields = world.wiring.store.get(stocks.inventory_path("bookshop")).fields or {}
    functions = stocks.unpack_inventory(fields["live"]).functions or {}
    return all(
        functions[one].copy and functions[one].configuration.values and release(world, functions[one]) == "v2"
        for one in (NEWER, OLDER)
    )


def release(world: World, function: FunctionState) -> str:
    """Which release a function is built from, by the very source."""
    source = function.source
    assert source is not None
    find = world.cloud.buckets.find
    return read_release(find(source.bucket, source.object, source.generation).content)


def ended(world: World, number: int) -> Rollback | None:
    """The rollback of that number, once it is over."""
    found = world.evidence.rollbacks()
    return found[number - 1] if len(found) == number and found[-1].status in ENDED_ROLLBACK_STATUSES else None


def is_asked(world: World) -> bool:
    """Whether the undo waits for a person."""
    return [one.status for one in world.evidence.rollbacks()][1:] == [RollbackStatus.PARKED]


@pytest.mark.slice
def test_a_build_is_undone(world: World) -> None:
    """Both generations are of the release that was left, and follow the newest as they did."""
    world.application.make_first_generation(OLDER)
    announce(world, "v1b", stable=True)
    until("the deployment", lambda: world.evidence.deployment("v1b"))
    pass_time(world, world.policy.deployments.quiet)
    until("the stable deployment", lambda: is_stable(world, "v1b"))
    until("its copies", lambda: kept_functions(world, "v1b"))
    world.application.degrade(NEWER, starts=False)
    world.application.deploy(release="v2", failure_rate=0.8)
    announce(world, "v2")
    until("the copies of the bad release", lambda: is_kept(world))
    pass_time(world, 10 * MINUTE)
    before = world.wiring.system("bookshop").platform.functions()

    world.command(command="rollback", system="bookshop")
    until("the rollback", world.is_carried_out)
    [first] = world.evidence.rollbacks()
    built = world.wiring.system("bookshop").platform.functions()
    assert {release(world, built[one]) for one in (NEWER, OLDER)} == {"r1"}
    about = {"system": "bookshop", "incident": first.incident}
    world.command(command="cancel", **about)
    until("its end", lambda: ended(world, 1))

    world.command(command="undo", **about)
    until("the question", lambda: is_asked(world))
    world.command(command="approve", **about)
    last = until("the undo", lambda: ended(world, 2))

    count = len(world.policy.functions)
    assert (last.status, last.outcome) == (RollbackStatus.SUCCEEDED, f"undone: {count} functions as before")
    after = world.wiring.system("bookshop").platform.functions()
    assert after[OLDER].generation is Generation.FIRST
    assert after[NEWER].traffic == (TrafficTarget(LATEST_REVISION, 100),)
    assert world.live[NEWER] == {after[NEWER].latest: 100}
    for one in (NEWER, OLDER):
        assert release(world, after[one]) == "v2"
        assert after[one].configuration == before[one].configuration
        assert after[one].definition == before[one].definition
    assert world.evidence.builds() == {NEWER: 2, OLDER: 2}
    assert world.evidence.dead_letters() == []
