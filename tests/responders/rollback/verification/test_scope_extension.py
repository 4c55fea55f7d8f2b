"""A release that reaches functions while it is led back: these follow, as far as they may."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.core.codec import encode
from shared.core.errors import Unavailable
from shared.core.store import Put, Update
from shared.domain.deployments.deployment import Deployment, DeploymentStatus, deployment_path
from shared.domain.deployments.images import StoredImage
from shared.domain.policy.gate_limits import Rebuilds
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.decision.outages import record_live_deployment, shifted_functions
from tests.support.fakes.runtime.clock import START
from tests.support.notices.notices import read_notices
from tests.support.rollbacks.rebuild_shop import (
    ORDER,
    PLACE,
    build_shop_with_source_copies,
    extend_rollout_during_rollback,
    failure_lines,
    functions_on_copies,
    healthy_functions,
    roll_back,
    step_statuses,
)
from tests.support.runtime.world import BOOKSHOP, UNPROBED, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CATALOGUE = BOOKSHOP.groups["catalogue"].functions
STOREFRONT = BOOKSHOP.groups["storefront"].functions
CHECKOUT = BOOKSHOP.groups["checkout"].functions


def test_what_a_roll_out_reaches_later_and_has_no_image_is_built_again() -> None:
    """An extension looks into the registry as the first plan does, and shifts nothing in vain."""
    shop = build_shop_with_source_copies()

    rollback = extend_rollout_during_rollback(shop)

    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.plan is not None
    assert rollback.plan.extensions == 1
    assert functions_on_copies(shop) == {ORDER}
    assert healthy_functions(shop) == set(shop.live)
    assert step_statuses(shop, ORDER) == {"redeploy": StepStatus.DONE, "serve": StepStatus.DONE}
    assert f"{ORDER} is rebuilt from the stored copy of its source: it is not the original image" in (
        rollback.plan.reported
    )
    assert shop.find_violated_invariants() == []


def test_an_extension_builds_nothing_where_the_policy_has_that_asked_for() -> None:
    """What has lost its image is left and said: all else goes back, and the end is no success."""
    shop = build_shop_with_source_copies(Rebuilds.ASK)

    rollback = extend_rollout_during_rollback(shop)

    assert rollback.status is RollbackStatus.FAILED
    assert rollback.outcome == (
        f"1 of 6 not done: redeploy {ORDER} +1: skipped, it has lost what it starts from"
    )
    served = shop.platform.services()[ORDER].latest_ready
    assert any(line.endswith(f"; it serves {served}") for line in failure_lines(shop))
    line = f"{ORDER} has lost what it starts from: left as it is"
    assert rollback.plan is not None
    assert line in rollback.plan.reported
    assert any(line in sent.notice["text"] for sent in shop.sent_notices)
    assert functions_on_copies(shop) == set()
    assert set(shop.live) - healthy_functions(shop) == {ORDER}
    assert ORDER.lower() not in shop.platform.applied_shifts


def test_what_lies_behind_a_barrier_of_its_roll_out_stays_and_is_listed() -> None:
    """A barrier that is declared meanwhile holds up nothing that was planned, and hides nothing."""
    shop = build_shop_with_source_copies()

    rollback = extend_rollout_during_rollback(shop, barrier="a migration")

    assert rollback.status is RollbackStatus.FAILED
    assert set(shop.live) - healthy_functions(shop) == set(CHECKOUT)
    assert "3 of 6 not done" in rollback.outcome
    assert "lies behind a barrier of v2" in rollback.outcome
    assert shop.find_violated_invariants() == []


def test_a_roll_out_is_waited_for_until_the_time_to_verify_is_over() -> None:
    """What went back is well long before: what is reached after that goes back as well."""
    shop = build_shop_with_source_copies()
    shop.platform.deploy(shop.policy.groups["catalogue"].functions, failure_rate=0.8)
    shop.advance_clock(timedelta(minutes=3))
    rolling = Deployment("v2", "bookshop", shop.now, DeploymentStatus.ROLLING_OUT, {})
    shop.store.commit([Put(deployment_path("bookshop", "v2"), encode(rolling))])
    reached = [CHECKOUT]

    def late(verb: str, side: str) -> None:
        at = next((one.shifted_at for one in shop.rollbacks()), None)
        if reached and at and shop.now >= at + timedelta(minutes=4, seconds=30):
            shop.platform.deploy(reached.pop(), failure_rate=0.8)

    shop.ports.counts.hook = late
    rollback = roll_back(shop, minutes=40)

    assert rollback.plan is not None
    assert rollback.plan.extensions == 1
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert healthy_functions(shop) == set(shop.live)


def test_what_is_in_a_persons_hands_is_no_part_of_a_roll_out_that_goes_on() -> None:
    """The plan grows around it: nothing of theirs is touched, and it stands in no list."""
    shop = build_shop_with_source_copies()
    until = shop.now + timedelta(hours=1)
    shop.store.commit([Update("systems/bookshop", {"suspended": {"payOrder": until}})])

    rollback = extend_rollout_during_rollback(shop)

    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.plan is not None
    assert rollback.plan.extensions == 1
    assert set(shop.live) - healthy_functions(shop) == {"payOrder"}
    assert "payOrder" not in {step.target for step in shop.steps(rollback.id).values()}


@pytest.mark.parametrize("silent", [True, False], ids=["a silent registry", "an image that is kept"])
def test_an_extension_shifts_what_is_not_known_to_be_gone(silent: bool) -> None:
    """Silence is no loss: what looks ready is shifted."""
    shop = build_shop_with_source_copies()
    image = f"{PLACE}/order@sha256:1"
    shop.ports.beside.pushed[PLACE] = {image: StoredImage(image, START)}

    def mute(verb: str, side: str) -> None:
        if silent and verb == "images.stored":
            raise Unavailable("no answer")

    shop.ports.beside.hook = mute
    rollback = extend_rollout_during_rollback(shop)

    assert rollback.status is RollbackStatus.SUCCEEDED
    assert functions_on_copies(shop) == set()
    assert healthy_functions(shop) == set(shop.live)
    assert step_statuses(shop, ORDER) == {
        "shift": StepStatus.DONE,
        "redeploy": StepStatus.UNNEEDED,
        "serve": StepStatus.UNNEEDED,
    }


def test_a_roll_out_that_goes_on_under_the_rollback() -> None:
    """What it changes meanwhile goes back too: on record, each function shifted once."""
    world = World()
    stable = world.live
    world.advance_clock(HOUR)
    world.platform.deploy(CATALOGUE, failure_rate=0.8)
    world.advance_clock(3 * MINUTE)
    record_live_deployment(world, "v2", DeploymentStatus.ROLLING_OUT, 3 * MINUTE)
    acts: list[Callable[[], None]] = [
        lambda: world.platform.deploy(STOREFRONT, failure_rate=0.8),
        lambda: None,
        lambda: None,
        lambda: world.platform.deploy(CHECKOUT, failure_rate=0.8),
        lambda: None,
        lambda: record_live_deployment(world, "v2", DeploymentStatus.LIVE, 5 * MINUTE),
    ]

    def goes_on(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after") and acts:
            acts.pop(0)()

    world.platform.hook = goes_on
    world.alert()
    world.pass_time(HOUR)

    assert world.live == stable
    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert rollback.plan is not None
    assert (rollback.plan.extensions, rollback.plan.steps) == (2, len(world.steps(rollback.id)))
    assert world.events(rollback).count("plan.extended") == 2
    assert world.find_violated_invariants() == []


def test_a_roll_out_that_never_settles() -> None:
    """Extensions are counted, and notified as the plan doubles; in the end a person decides."""
    world = World()
    world.advance_clock(HOUR)
    world.platform.deploy(["listBooks"], failure_rate=0.8)
    world.advance_clock(3 * MINUTE)
    record_live_deployment(world, "v2", DeploymentStatus.ROLLING_OUT, 3 * MINUTE)
    others = iter(sorted(set(world.policy.functions) - {"listBooks"}))

    def goes_on(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after"):
            name = next(others, None)
            if name:
                world.platform.deploy([name], failure_rate=0.8)

    world.platform.hook = goes_on
    world.alert()
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.plan is not None
    assert len(shifted_functions(world)) == 4
    assert rollback.status is RollbackStatus.FAILED
    assert "1 of 5 not done" in rollback.outcome
    assert "it was reached after 3 extensions" in rollback.outcome
    events = {notice["event"] for notice in read_notices(world).values()}
    assert {event for event in events if "extended" in str(event)} == {"plan.extended-1", "plan.extended-3"}
    assert world.find_violated_invariants() == []


def test_a_wider_order_names_the_functions_that_it_adds() -> None:
    """The canary is asked again for the rest of its group, and is not brought back again."""
    world = World(promoted=False)
    world.deploy_bad()

    def order_all() -> None:
        world.send_command("rollback")
        world.deliver_commands()

    world.platform.hook = once_shifted(order_all)
    world.carry_out("rollback", functions=["getBook"])

    [extended] = [one for one in read_notices(world).values() if one["event"] == "plan.extended-1"][:1]
    assert "7 further functions back to " in str(extended["text"])
    assert "getBook" not in str(extended["text"])


def test_what_is_changed_under_an_order() -> None:
    """A person was shown a plan: nothing is added to it."""
    world = World()
    world.deploy_bad(CATALOGUE)
    record_live_deployment(world, "v2", DeploymentStatus.ROLLING_OUT, 3 * MINUTE)
    world.platform.hook = once_shifted(lambda: world.platform.deploy(STOREFRONT))

    world.send_command("rollback")
    world.pass_time(HOUR)

    assert shifted_functions(world) == set(CATALOGUE)


def once_shifted(act: Callable[[], None]) -> Callable[[str, str], None]:
    """A hook that acts once, at the first shift."""
    done: list[bool] = []

    def hook(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after") and not done:
            done.append(True)
            act()

    return hook


def test_an_alert_about_a_further_function_of_the_release_extends_what_is_monitored() -> None:
    """Its requests come later: no second rollback begins, and each verification is notified."""
    world = World(policy=UNPROBED)
    world.ports.counts.rates |= {"searchBooks": 0.0, "listBooks": 0.0}
    world.deploy_bad(CATALOGUE)
    world.alert()
    world.pass_time(8 * MINUTE)
    assert [rollback.status for rollback in world.rollbacks()] == [RollbackStatus.WATCHING]
    assert shifted_functions(world) == {"getBook"}

    world.ports.counts.rates["listBooks"] = 0.01
    world.alert("0.further", resource={"type": "cloud_run_revision", "labels": {"service_name": "listbooks"}})
    world.pass_time(2 * MINUTE)
    assert [rollback.status for rollback in world.rollbacks()] == [RollbackStatus.WATCHING]
    world.ports.counts.rates["listBooks"] = 2.0
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert shifted_functions(world) == {"getBook", "listBooks"}
    events = {notice["event"] for notice in read_notices(world).values()}
    assert {"rollback.verified", "plan.extended-1", "rollback.verified-1"} <= events
    assert world.find_violated_invariants() == []
