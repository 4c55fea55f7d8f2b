"""What is deployed, or led elsewhere, while something is wrong."""

import pytest

from shared.domain.deployments.deployment import DeploymentStatus
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from tests.support.notices.system_events import system_event_names
from tests.support.rollbacks.approvals import build_world_awaiting_approval
from tests.support.rollbacks.deployments import (
    MINUTE,
    deploy_release,
    later_deployments,
    publish_audit_hint,
    read_stock,
    read_system,
)
from tests.support.runtime.world import BOOKSHOP, World


@pytest.mark.parametrize(("seen", "when"), [(True, ""), (False, " before it was seen")])
def test_our_own_rollback_is_no_deployment(seen: bool, when: str) -> None:
    """What we led elsewhere ourselves is taken in; what went back is bad, seen before or not."""
    world = World()
    world.deploy_bad()
    served = world.live
    if seen:
        publish_audit_hint(world)
        world.settle()
    world.alert()
    world.pass_time(40 * MINUTE)

    rollback = world.rollback
    assert rollback.status == "SUCCEEDED"
    [deployment] = later_deployments(world)
    assert (deployment.status, deployment.reason) == (
        DeploymentStatus.BAD,
        f"taken back by {rollback.id}{when}",
    )
    assert {name: placed.revisions for name, placed in deployment.functions.items()} == served
    assert read_stock(world).wrote == dict.fromkeys(BOOKSHOP.functions, rollback.id)
    assert read_system(world).suspended == {}
    assert "inventory.ours" in system_event_names(world)


def test_who_leads_requests_away_from_where_we_led_them_is_a_person() -> None:
    """Their change is a deployment, and automation leaves that function to them for an hour."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(40 * MINUTE)

    world.platform.change_by_hand("getBook", (TrafficTarget(LATEST_REVISION, 100),))
    world.pass_time(8 * MINUTE)  # until the next look, and quiet for long enough

    newest = later_deployments(world)[-1]
    assert (newest.changed_functions, newest.status) == (("getBook",), DeploymentStatus.LIVE)
    until = read_system(world).suspended["getBook"]
    assert set(read_system(world).suspended) == {"getBook"}
    assert newest.changed_at is not None  # when the look saw it, at whatever minute that was
    assert until == newest.changed_at + BOOKSHOP.deployments.human_first
    texts = [one.notice["text"] for one in world.sent_notices if ":suspended" in one.key]
    assert len(texts) == 1
    assert "changed manually: getBook" in texts[0]

    world.platform.change_by_hand("payOrder", (TrafficTarget(LATEST_REVISION, 100),))
    world.pass_time(8 * MINUTE)

    assert set(read_system(world).suspended) == {"getBook", "payOrder"}
    assert read_system(world).suspended["getBook"] == until


def test_a_function_that_is_deployed_during_an_incident_is_left_to_people() -> None:
    """Whoever repairs it forward is not disturbed."""
    world = World()
    world.carry_out("promote", mode="observe")
    world.deploy_bad()
    world.carry_out("promote", mode="ask")
    world.alert()
    world.settle()
    deploy_release(world, "payOrder")
    publish_audit_hint(world)
    world.settle()

    assert set(read_system(world).suspended) == {"payOrder"}


@pytest.mark.parametrize("hinted", [True, False], ids=["with hints", "before any hint"])
def test_a_roll_out_that_goes_on_when_its_alert_comes(hinted: bool) -> None:
    """What it reaches after the detection is nobody's cure: it goes back as well, on record."""
    world = World()
    stable = world.live
    world.pass_time(6 * MINUTE)
    for name in ("getBook", "listBooks"):
        world.platform.deploy([name], failure_rate=0.8)
        world.advance_clock(MINUTE)
        if hinted:
            publish_audit_hint(world)
            world.settle()
    acts = iter(("renderShop", "payOrder"))

    def goes_on(verb: str, side: str) -> None:
        name = next(acts, None) if (verb, side) == ("platform.shift", "after") else None
        if name:
            world.platform.deploy([name], failure_rate=0.8)
            publish_audit_hint(world)

    world.platform.hook = goes_on
    world.alert()
    world.pass_time(40 * MINUTE)

    assert world.live == stable
    [rolled_out] = later_deployments(world)  # as it was, led back or not
    for name in ("getBook", "listBooks", "renderShop", "payOrder"):
        assert rolled_out.functions[name].revisions == {f"{name.lower()}-00002": 100}
    rollback = world.rollback
    assert rollback.status == "SUCCEEDED"
    assert "plan.extended" in world.events(rollback)
    assert read_system(world).suspended == {}
    assert world.find_violated_invariants() == []


def test_what_a_person_leads_elsewhere_is_no_part_of_a_roll_out_that_goes_on() -> None:
    """Nothing was deployed: whoever follows the roll-out leaves it, seen by a look or not."""
    world = World()
    canary = (TrafficTarget("payorder-00001", 100), TrafficTarget("payorder-00002", 0, "next"))
    world.platform.change_by_hand("payOrder", canary)
    world.platform.deploy(["payOrder"])
    world.pass_time(6 * MINUTE)
    world.platform.deploy(["getBook"], failure_rate=0.8)
    world.advance_clock(2 * MINUTE)
    publish_audit_hint(world)
    world.settle()
    acts = iter(((TrafficTarget("payorder-00002", 100),),))

    def led(verb: str, side: str) -> None:
        traffic = next(acts, None) if (verb, side) == ("platform.shift", "after") else None
        if traffic is not None:
            world.platform.change_by_hand("payOrder", traffic)

    world.platform.hook = led
    world.alert()
    world.pass_time(40 * MINUTE)

    assert "shift getBook" in world.steps(world.rollback.id)
    assert world.live["payOrder"] == {"payorder-00002": 100}


def test_the_cause_of_an_incident_is_not_taken_for_its_cure() -> None:
    """What was deployed before the incident, and is seen only during it, suspends nothing."""
    world = build_world_awaiting_approval()

    publish_audit_hint(world)
    world.settle()

    assert later_deployments(world)[0].status is DeploymentStatus.ROLLING_OUT
    assert read_system(world).suspended == {}
