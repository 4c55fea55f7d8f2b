"""What every Builder keeps, in memory and over gRPC."""

from collections.abc import Iterator

import pytest

from shared.adapters.gcp import listing
from shared.core.errors import Ambiguous, Moved, Rejected, Throttled, Unavailable
from shared.domain.deployments.build_recipe import BuiltFunction, RunningDeployment, is_built_from
from shared.domain.deployments.inventory.traffic import TrafficTarget, traffic_shares
from tests.contracts.support.builders import BuilderWorld, InMemory, OverTheWire, embedded
from tests.contracts.support.worlds import both_worlds

BUILT = 90.0
"""Seconds that a build takes."""


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    with embedded() as cloud:
        yield cloud


world = both_worlds(InMemory)


def function(world: BuilderWorld) -> BuiltFunction:
    """`placeOrder`, which is there."""
    live = world.builder.find_function("placeOrder")
    assert live is not None
    return live


def running(world: BuilderWorld) -> RunningDeployment:
    """The deployment of `placeOrder` that has not ended."""
    deployment = world.builder.find_running_deployment("placeOrder")
    assert deployment is not None
    return deployment


def build(world: BuilderWorld, *, create: bool = False) -> str:
    return world.builder.build("placeOrder", world.kept, create=create)


def test_a_redeployment_of_our_copy(world: BuilderWorld) -> None:
    """It runs what was recorded, as a new revision, once its operation is done; not before."""
    before = function(world)
    assert before.active
    assert not is_built_from(before.state, world.kept)

    operation = build(world)

    assert function(world).deploying
    assert not world.builder.operation(operation).done
    assert running(world) == RunningDeployment(operation, world.kept.source)
    world.advance(BUILT)
    assert world.builder.operation(operation).done
    assert world.builder.operation(operation).error == ""
    assert world.builder.find_running_deployment("placeOrder") is None
    rebuilt = function(world)
    assert (rebuilt.active, rebuilt.deploying) == (True, False)
    assert is_built_from(rebuilt.state, world.kept)
    assert rebuilt.revision != before.revision
    service = world.platform.service(rebuilt.service)
    assert service.latest_created == rebuilt.revision
    assert traffic_shares(service.serving, service.latest_ready) == {rebuilt.revision: 100}


def test_a_redeployment_where_traffic_is_pinned(world: BuilderWorld) -> None:
    """The new revision gets no request, and the traffic list stays verbatim, with its tags."""
    live = world.platform.inventory()["placeOrder"]
    pinned = (
        TrafficTarget(live.service.latest_ready, 100),
        TrafficTarget(live.revisions[-1].name, 0, "fh-1"),
    )
    world.platform.shift(live.service.name, pinned, live.service.etag)
    world.advance(8)

    build(world)
    world.advance(BUILT)

    service = world.platform.service(live.service.name)
    assert service.traffic == pinned
    assert service.latest_created != live.service.latest_created


def test_a_source_that_is_gone(world: BuilderWorld) -> None:
    """The deployment is accepted, and fails when it is due; no revision was made."""
    world.lose_source()
    before = world.platform.inventory()["placeOrder"]

    operation = build(world)
    world.advance(BUILT)

    assert "not found" in world.builder.operation(operation).error
    assert not function(world).active
    assert world.platform.inventory()["placeOrder"].revisions == before.revisions


def test_a_secret_that_was_destroyed(world: BuilderWorld) -> None:
    """The deployment makes a revision that does not start, and fails; nothing serves it."""
    world.destroy_secret()
    before = world.platform.inventory()["placeOrder"]

    operation = build(world)
    world.advance(BUILT)

    assert world.builder.operation(operation).error
    assert not function(world).active
    after = world.platform.inventory()["placeOrder"]
    assert not after.revisions[0].ready
    assert after.service.serving == before.service.serving


def test_a_deployment_by_somebody_else_that_runs(world: BuilderWorld) -> None:
    """One deployment at a time: ours is refused, and whose runs is told by its source."""
    world.deploy_elsewhere()

    with pytest.raises(Moved):
        build(world)

    assert running(world).source != world.kept.source


def test_a_deployment_beyond_the_first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not read is not absent: it is looked for on every page, or nothing is known."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 1)
    with embedded() as world:
        world.deploy_elsewhere()
        world.builder.build("findBook", world.kept, create=False)  # the newest is listed first

        assert world.builder.find_running_deployment("placeOrder") is not None
        monkeypatch.setattr(listing, "MAX_PAGES", 1)
        with pytest.raises(Unavailable):
            world.builder.find_running_deployment("placeOrder")


def test_a_function_that_was_deleted(world: BuilderWorld) -> None:
    """It is not found and not updated; once created it serves, and is not created again."""
    world.delete()

    assert world.builder.find_function("placeOrder") is None
    with pytest.raises(Moved):
        build(world)
    build(world, create=True)
    world.advance(BUILT)
    rebuilt = function(world)
    assert is_built_from(rebuilt.state, world.kept)
    service = world.platform.service(rebuilt.service)
    assert traffic_shares(service.serving, service.latest_ready) == {rebuilt.revision: 100}
    with pytest.raises(Moved):
        build(world, create=True)


def test_a_function_of_the_first_generation(world: BuilderWorld) -> None:
    """It has no service; a deployment replaces what it runs."""
    world.become_first_generation()

    build(world)
    world.advance(BUILT)

    rebuilt = function(world)
    assert (rebuilt.service, rebuilt.revision, rebuilt.active) == ("", "", True)
    assert is_built_from(rebuilt.state, world.kept)


def test_a_write_quota_that_is_spent(world: BuilderWorld) -> None:
    """Nothing is deployed, and the refusal says when to come back."""
    world.refuse_writes()

    with pytest.raises(Throttled):
        build(world)

    assert world.builder.find_running_deployment("placeOrder") is None


def test_an_answer_that_is_lost(world: BuilderWorld) -> None:
    """The deployment may run: that shows in what runs now, under our own source."""
    world.lose_answer()

    with pytest.raises(Ambiguous):
        build(world)

    assert running(world).source == world.kept.source


def test_an_operation_that_nobody_knows(world: BuilderWorld) -> None:
    """Operations are forgotten in time: it has ended, and the function tells how."""
    unknown = "projects/shop/locations/europe-west1/operations/none"

    assert world.builder.operation(unknown).done


def test_values_that_were_overwritten_since() -> None:
    """Only the generation that was recorded is read, whatever another one holds."""
    with embedded() as world:
        world.overwrite_values()

        with pytest.raises(Rejected, match="No such object"):
            build(world)

        assert world.builder.find_running_deployment("placeOrder") is None
