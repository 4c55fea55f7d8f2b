"""What every Platform keeps, in memory and over gRPC."""

from datetime import timedelta

import pytest

from local.application.service import RevisionConfiguration
from shared.core.errors import Ambiguous, Moved, Rejected, Throttled
from shared.domain.deployments.deployment import LiveFunction
from shared.domain.deployments.inventory.inventory_parts import Generation, SecretUse
from shared.domain.deployments.inventory.traffic import (
    LATEST_REVISION,
    Capacity,
    Scaling,
    Traffic,
    TrafficTarget,
)
from shared.domain.policy.execution_limits import WriteQuota
from tests.contracts.support.platforms import FUNCTIONS, PARENT, PlatformWorld

SERVICE = f"{PARENT}/services/placeorder"


def to(revision: str, percent: int = 100, tag: str = "") -> TrafficTarget:
    return TrafficTarget(revision, percent, tag)


def live(world: PlatformWorld) -> LiveFunction:
    """The function under test, after a second release."""
    return world.platform.inventory()["placeOrder"]


def with_two_releases(world: PlatformWorld) -> tuple[str, str]:
    """Short names of the old and the new revision."""
    world.advance(60)
    world.deploy("placeOrder", failure_rate=1.0)
    new, old = (revision.name for revision in live(world).revisions)
    return old, new


def shift(world: PlatformWorld, traffic: Traffic, *, dry_run: bool = False) -> str:
    etag = world.platform.service(SERVICE).etag
    return world.platform.shift(SERVICE, traffic, etag, dry_run=dry_run)


def test_the_inventory_of_a_healthy_application(world: PlatformWorld) -> None:
    """Every function comes with its service, following its newest revision, and nothing runs."""
    inventory = world.platform.inventory()

    assert set(inventory) == set(FUNCTIONS)
    found = inventory["placeOrder"]
    (revision,) = found.revisions
    assert found.service.name == revision.service == SERVICE
    assert found.service.latest_created == found.service.latest_ready == revision.name
    assert found.service.traffic == (to(LATEST_REVISION),)
    assert found.service.serving == (to(revision.name),)
    assert (found.service.ready, found.service.reconciling) == (True, False)
    assert revision.ready
    assert "@sha256:" in revision.image
    assert found.service == world.platform.service(SERVICE)
    assert revision == world.platform.revision(SERVICE, revision.name)


def test_a_deployment_where_traffic_follows_the_newest(world: PlatformWorld) -> None:
    """A release is a new revision, first in the list, which serves at once; the etag changes."""
    before = live(world)

    old, new = with_two_releases(world)

    after = live(world)
    assert (after.service.latest_created, after.service.latest_ready) == (new, new)
    assert after.service.serving == (to(new),)
    assert after.service.etag != before.service.etag
    assert after.revision(old) == before.revisions[0]
    newest = after.revision(new)
    assert newest is not None
    assert newest.created_at == world.now()


def test_a_deployment_that_does_not_start(world: PlatformWorld) -> None:
    """A revision that is not ready is the newest created, and serves nothing."""
    (first,) = live(world).revisions
    world.deploy("placeOrder", ready=False)

    found = live(world)

    assert found.service.latest_ready == first.name
    assert found.service.serving == (to(first.name),)
    assert [revision.ready for revision in found.revisions] == [False, True]


def test_a_shift(world: PlatformWorld) -> None:
    """What is asked for stands at once under another etag; the routers follow with the operation.

    Neither the newest revision nor the list of revisions changes by it.
    """
    old, new = with_two_releases(world)
    before = live(world)

    operation = shift(world, (to(old),))

    asked = live(world).service
    assert asked.traffic == (to(old),)
    assert asked.serving == (to(new),)
    assert asked.etag != before.service.etag
    assert asked.reconciling
    assert not world.platform.operation(operation).done
    world.advance(8)
    assert world.platform.operation(operation).done
    assert world.platform.operation(operation).error == ""
    after = live(world)
    assert after.service.serving == (to(old),)
    assert (after.service.ready, after.service.reconciling) == (True, False)
    assert after.service.latest_created == new
    assert after.revisions == before.revisions


def test_a_shift_of_a_list_with_tags_and_shares(world: PlatformWorld) -> None:
    """A list comes back as it was asked for: order, shares, tags, and what follows the newest."""
    old, new = with_two_releases(world)
    wanted = (to(old, 90), to(LATEST_REVISION, 10, "next"), to(old, 0, "canary"))

    shift(world, wanted)
    world.advance(8)

    service = world.platform.service(SERVICE)
    assert service.traffic == wanted
    assert service.serving == (to(old, 90), to(new, 10, "next"), to(old, 0, "canary"))


def test_a_deployment_to_a_pinned_service(world: PlatformWorld) -> None:
    """Traffic that is held on a revision stays there when the next release comes."""
    old, _ = with_two_releases(world)
    shift(world, (to(old),))
    world.advance(8)

    world.deploy("placeOrder")

    service = world.platform.service(SERVICE)
    assert service.serving == (to(old),)
    assert service.latest_created == live(world).revisions[0].name != old


def test_a_shift_of_what_has_changed_since(world: PlatformWorld) -> None:
    """A stale etag is Moved, for a dry run too, and nothing changes."""
    old, new = with_two_releases(world)
    stale = world.platform.service(SERVICE).etag
    shift(world, (to(old, 50), to(new, 50)))
    before = world.platform.service(SERVICE)

    for dry_run in (True, False):
        with pytest.raises(Moved):
            world.platform.shift(SERVICE, (to(old),), stale, dry_run=dry_run)

    assert world.platform.service(SERVICE) == before


def test_a_shift_without_an_etag(world: PlatformWorld) -> None:
    """A shift that is bound to nothing is refused."""
    before = world.platform.service(SERVICE)

    with pytest.raises(Rejected):
        world.platform.shift(SERVICE, (to(LATEST_REVISION),), "")

    assert world.platform.service(SERVICE) == before


def test_a_shift_with_instances(world: PlatformWorld) -> None:
    """The service's instances change with its list, in one request; no revision is made by it.

    A shift that says nothing of them leaves them as they are.
    """
    old, new = with_two_releases(world)
    before = live(world)
    assert before.service.scaling == Scaling()
    etag = before.service.etag

    world.platform.shift(SERVICE, (to(old),), etag, scaling=Scaling(2, 10))

    world.advance(8)
    after = live(world)
    assert (after.service.scaling, after.service.serving) == (Scaling(2, 10), (to(old),))
    assert (after.service.latest_created, after.revisions) == (new, before.revisions)
    assert after.service.etag != etag
    assert world.platform.functions()["placeOrder"].scaling == Scaling(2, 10)
    shift(world, (to(new),))
    assert world.platform.service(SERVICE).scaling == Scaling(2, 10)


@pytest.mark.parametrize("scaling", [Scaling(0, 0, 0), Scaling(1, 5, 3), Scaling(3), Scaling(0, 7)])
def test_instances_come_back_as_they_were_asked_for(world: PlatformWorld, scaling: Scaling) -> None:
    """By hand none is a number too; no limit is none."""
    (first,) = live(world).revisions
    etag = world.platform.service(SERVICE).etag

    world.platform.shift(SERVICE, (to(first.name),), etag, scaling=scaling)

    assert world.platform.service(SERVICE).scaling == scaling


@pytest.mark.parametrize("dry_run", [True, False])
def test_instances_that_cannot_be(world: PlatformWorld, dry_run: bool) -> None:
    """More at least than at most is Rejected, and nothing changes."""
    before = world.platform.service(SERVICE)

    with pytest.raises(Rejected):
        world.platform.shift(
            SERVICE, (to(LATEST_REVISION),), before.etag, scaling=Scaling(5, 2), dry_run=dry_run
        )

    assert world.platform.service(SERVICE) == before


def test_a_dry_run_with_instances(world: PlatformWorld) -> None:
    """It asks about them too, and changes nothing."""
    old, _ = with_two_releases(world)
    before = world.platform.service(SERVICE)

    world.platform.shift(SERVICE, (to(old),), before.etag, scaling=Scaling(2), dry_run=True)

    assert world.platform.service(SERVICE) == before


def test_what_a_revision_brings_along(world: PlatformWorld) -> None:
    """Its own instances and requests at once are the revision's, whatever the service has."""
    world.configure("placeOrder", RevisionConfiguration({}, {}, 1, 5, 40))

    newest, first = live(world).revisions

    assert newest.capacity == Capacity(1, 5, 40)
    assert first.capacity == Capacity(0, 100, 80)


def test_a_dry_run(world: PlatformWorld) -> None:
    """A dry run of what could be done changes nothing, and its etag is still good."""
    old, _ = with_two_releases(world)
    before = world.platform.service(SERVICE)

    shift(world, (to(old),), dry_run=True)

    assert world.platform.service(SERVICE) == before


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    "traffic",
    [
        (to("gone-00001-abc"),),
        (to(LATEST_REVISION, 99),),
        (to(LATEST_REVISION, 50, "x"), to(LATEST_REVISION, 50, "x")),
    ],
    ids=["no such revision", "99 percent", "tag twice"],
)
def test_a_shift_that_cannot_be(world: PlatformWorld, traffic: Traffic, dry_run: bool) -> None:
    """A list that the service cannot have is Rejected, and nothing changes."""
    before = world.platform.service(SERVICE)

    with pytest.raises(Rejected):
        shift(world, traffic, dry_run=dry_run)

    assert world.platform.service(SERVICE) == before


def test_a_shift_that_fails_late(world: PlatformWorld) -> None:
    """An accepted shift may still end in an error: asked for, but not served."""
    old, new = with_two_releases(world)
    world.fail_late("placeOrder", "no capacity")

    operation = shift(world, (to(old),))
    world.advance(8)

    state = world.platform.operation(operation)
    assert state.done
    assert "no capacity" in state.error
    service = world.platform.service(SERVICE)
    assert (service.traffic, service.serving) == ((to(old),), (to(new),))
    assert (service.ready, service.reconciling) == (False, False)


def test_a_shift_to_a_revision_whose_image_is_gone(world: PlatformWorld) -> None:
    """It is accepted, and fails when it is due: what served before goes on serving."""
    old, new = with_two_releases(world)
    world.lose_image("placeOrder")

    operation = shift(world, (to(old),))
    world.advance(8)

    assert not world.platform.revision(SERVICE, old).ready
    assert "not ready" in world.platform.operation(operation).error
    service = world.platform.service(SERVICE)
    assert (service.serving, service.ready) == ((to(new),), False)


def test_a_shift_that_another_one_overtakes(world: PlatformWorld) -> None:
    """The newest change wins; the older operation ends in an error."""
    old, new = with_two_releases(world)
    first = shift(world, (to(old),))
    second = shift(world, (to(new, 100, "kept"),))

    world.advance(8)

    assert world.platform.operation(first).done
    assert world.platform.operation(first).error
    assert world.platform.operation(second).error == ""
    assert world.platform.service(SERVICE).serving == (to(new, 100, "kept"),)


def test_a_shift_beyond_the_write_quota(world: PlatformWorld) -> None:
    """A shift without quota is Throttled, says when to come back, and works then."""
    old, new = with_two_releases(world)
    world.limit_writes(WriteQuota(burst=1, per_second=0.1))
    shift(world, (to(old),))
    before = world.platform.service(SERVICE)

    with pytest.raises(Throttled) as caught:
        shift(world, (to(new),))

    assert caught.value.retry_after == timedelta(seconds=10)
    assert world.platform.service(SERVICE) == before
    world.advance(10)
    shift(world, (to(new),))


def test_a_shift_whose_answer_is_lost(world: PlatformWorld) -> None:
    """A lost answer is Ambiguous; the service tells what became of it, the etag guards a repeat."""
    old, _ = with_two_releases(world)
    before = world.platform.service(SERVICE)
    world.lose_answer_of_shift()

    with pytest.raises(Ambiguous):
        world.platform.shift(SERVICE, (to(old),), before.etag)
    with pytest.raises(Moved):
        world.platform.shift(SERVICE, (to(old),), before.etag)

    assert world.platform.service(SERVICE).traffic == (to(old),)


def test_the_state_of_a_function(world: PlatformWorld) -> None:
    """It says what runs: runtime, source, configuration, traffic, and what can be reached."""
    found = world.platform.functions()

    assert set(found) == set(FUNCTIONS)
    state, (revision,) = found["placeOrder"], live(world).revisions
    assert state.generation is Generation.SECOND
    assert state.runtime == "nodejs20"
    assert state.entry_point == "placeOrder"
    assert state.source is not None
    assert state.source.generation > 0
    assert state.service == SERVICE
    assert state.traffic == (to(LATEST_REVISION),)
    assert set(state.revisions) == {revision.name}
    reached = state.revisions[revision.name]
    assert (reached.created_at, reached.image) == (revision.created_at, revision.image)
    assert reached.configuration == state.configuration
    assert state.configuration.variables == ("RELEASE",)
    assert state.configuration.account
    assert (state.configuration.max_instances, state.configuration.concurrency) == (100, 80)


def test_a_deployment_of_a_configuration(world: PlatformWorld) -> None:
    """Names, a hash and bound versions of secrets change; values are nowhere."""
    before = world.platform.functions()["placeOrder"]
    given = RevisionConfiguration({"MODE": "sesame"}, {"KEY": "PAYMENT_KEY/3"}, 1, 5, 40)

    world.configure("placeOrder", given)

    after = world.platform.functions()["placeOrder"]
    assert after.configuration.variables == ("MODE", "RELEASE")
    assert after.configuration.variables_hash != before.configuration.variables_hash
    assert after.configuration.secrets == (SecretUse("KEY", "PAYMENT_KEY", "3"),)
    assert after.configuration.account == before.configuration.account
    assert (after.configuration.min_instances, after.configuration.max_instances) == (1, 5)
    assert after.configuration.concurrency == 40
    assert [one.configuration for one in after.revisions.values()] == [after.configuration]
    assert after.source != before.source
    assert after.definition
    assert "sesame" not in repr(after)


def test_the_values_of_plain_variables(world: PlatformWorld) -> None:
    """They are those that the function is recorded with, and their text does not tell them."""
    world.configure("placeOrder", RevisionConfiguration({"MODE": "sesame"}))

    values = world.platform.values("placeOrder")

    assert values.variables["MODE"] == "sesame"
    assert values.is_recorded_for(world.platform.functions()["placeOrder"])
    assert "sesame" not in repr(values)


def test_the_state_of_a_pinned_function(world: PlatformWorld) -> None:
    """The newest deployment is told even where nothing reaches it; tags reach their revisions."""
    old, new = with_two_releases(world)
    shift(world, (to(old),))
    world.advance(8)

    pinned = world.platform.functions()["placeOrder"]

    assert (pinned.traffic, set(pinned.revisions)) == ((to(old),), {old})
    shift(world, (to(old), to(new, 0, "next")))
    world.advance(8)
    assert set(world.platform.functions()["placeOrder"].revisions) == {old, new}


def test_who_may_call_a_function(world: PlatformWorld) -> None:
    """Everybody, until somebody says otherwise; nobody is no answer of its own."""
    assert world.platform.invokers(SERVICE) == ("allUsers roles/run.invoker",)

    world.allow("placeOrder", "user:b@shop", "user:a@shop")
    assert world.platform.invokers(SERVICE) == (
        "user:a@shop roles/run.invoker",
        "user:b@shop roles/run.invoker",
    )
    world.allow("placeOrder")
    assert world.platform.invokers(SERVICE) == ()
    with pytest.raises(Rejected):
        world.platform.invokers(f"{SERVICE}-none")


def test_what_is_not_there(world: PlatformWorld) -> None:
    """A service, a revision or an operation that is gone is Rejected."""
    platform, none = world.platform, f"{PARENT}/services/none"
    for ask in (
        lambda: platform.service(none),
        lambda: platform.values("none"),
        lambda: platform.revision(SERVICE, "placeorder-09999-abc"),
        lambda: platform.operation(f"{PARENT}/operations/none"),
        lambda: platform.shift(none, (to(LATEST_REVISION),), "etag"),
    ):
        with pytest.raises(Rejected):
            ask()
