"""What operators let serve after a rollback is a deployment, and the next target once it baked."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.decision.recorded_decision import newest_decision
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.reader import StateReader
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.faults.fault_injection import shorten_watch
from tests.support.rollbacks.deployments import (
    later_deployments,
    publish_audit_hint,
    read_deployments,
    read_system,
)
from tests.support.rollbacks.pins import FOLLOWING, MINUTE, build_rolled_back_world
from tests.support.runtime.world import BOOKSHOP, World

HOUR = timedelta(hours=1)
PROMPT: Policy = replace(
    BOOKSHOP,
    gates=replace(BOOKSHOP.gates, cool_down=5 * MINUTE),
    deployments=replace(BOOKSHOP.deployments, human_first=5 * MINUTE),
)
"""Automation acts again five minutes after a rollback or an operator's change."""


def served_by(number: str, *functions: str, others: str = "00001") -> dict[str, dict[str, int]]:
    """What serves where these functions (none: all) serve that revision."""
    chosen = functions or tuple(BOOKSHOP.functions)
    return {
        name: {f"{name.lower()}-{number if name in chosen else others}": 100} for name in BOOKSHOP.functions
    }


def find_deployments(world: World, served: dict[str, dict[str, int]]) -> list[Deployment]:
    """The deployments in which just that served, the oldest first."""
    return [
        one
        for one in later_deployments(world)
        if {name: placed.revisions for name, placed in one.functions.items()} == served
    ]


def repair_bad_release(world: World) -> None:
    """What failed on r2 fails no more: it was no fault of the code."""
    for name in BOOKSHOP.functions:
        world.platform.set_failure_rate(name, f"{name.lower()}-00002", 0.0)


def look(world: World) -> None:
    """The audit log hints at a change, and what is live is read."""
    world.advance_clock(timedelta(seconds=5))
    publish_audit_hint(world)
    world.deliver_newest()


def undo_newest(world: World) -> None:
    """Undo the newest incident, and accept what it has brought back."""
    about = {"system": "bookshop", "incident": world.newest_incident.id}
    world.command(command="undo", **about)
    world.pass_time(5 * MINUTE)
    world.command(command="accept", **about)
    world.settle()


def unpin(world: World, functions: Collection[str] = ()) -> None:
    """Deploy r3, which gets no request, and unpin these functions (none: all)."""
    world.platform.deploy()
    world.pass_time(6 * MINUTE)
    some: dict[str, Any] = {"functions": [*functions]} if functions else {}
    world.send_command("unpin", **some)
    world.pass_time(12 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED


def override(world: World) -> None:
    """An emergency order leads every function to the release that had failed, which is repaired."""
    [bad] = later_deployments(world)
    repair_bad_release(world)
    about = {"incident": world.newest_incident.id, "target": bad.id}
    world.send_command("rollback", override=True, **about)
    world.pass_time(12 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED


def move_by_hand(world: World) -> None:
    """Deploy r3, and lead every request there as `gcloud run services update-traffic` does."""
    world.platform.deploy()
    world.pass_time(6 * MINUTE)
    for name in BOOKSHOP.functions:
        world.platform.change_by_hand(name, FOLLOWING)
    world.pass_time(12 * MINUTE)


def build_fixed_world() -> World:
    """After r2 was rolled back, r3 was deployed and unpinned."""
    world = build_rolled_back_world(PROMPT)
    unpin(world)
    assert world.live == served_by("00003")
    return world


@pytest.mark.parametrize("served_for", [HOUR, 2 * HOUR])
def test_a_fix_that_serves_well_is_the_next_target(served_for: timedelta) -> None:
    """r3 was unpinned and baked: the next bad release goes back to r3, and nobody is asked."""
    world = build_rolled_back_world(PROMPT)
    unpin(world)
    world.pass_time(served_for)

    [fix] = find_deployments(world, served_by("00003"))
    assert (fix.status, fix.let_through) == (DeploymentStatus.STABLE, True)
    [bad] = find_deployments(world, served_by("00002"))
    assert bad.status is DeploymentStatus.BAD
    world.deploy_bad()
    world.alert("0.r4")
    world.pass_time(12 * MINUTE)

    assert world.live == served_by("00003")
    assert find_deployments(world, served_by("00003"))[0].status is DeploymentStatus.STABLE
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize(
    ("act", "served"),
    [
        (lambda world: unpin(world, ["getBook"]), served_by("00003", "getBook")),
        (override, served_by("00002")),
        (undo_newest, served_by("00002")),
        (move_by_hand, served_by("00003")),
    ],
    ids=["unpin of one function", "emergency override", "undo", "gcloud"],
)
def test_what_operators_let_serve_bakes_and_becomes_stable(
    act: Callable[[World], None], served: dict[str, dict[str, int]]
) -> None:
    """Whichever way they take; what was rolled back before keeps its bad mark."""
    world = build_rolled_back_world(PROMPT)
    [bad] = later_deployments(world)
    act(world)
    assert world.live == served
    repair_bad_release(world)
    world.pass_time(3 * MINUTE)
    fix = find_deployments(world, served)[-1]
    assert (fix.status, fix.let_through) == (DeploymentStatus.LIVE, True)
    assert fix.id != bad.id

    world.pass_time(HOUR)

    statuses = {one.id: one.status for one in later_deployments(world)}
    assert statuses[fix.id] is DeploymentStatus.STABLE
    assert statuses[bad.id] is DeploymentStatus.BAD


def announce_unserved(world: World, name: str = "r3", functions: Collection[str] = ()) -> Deployment:
    """CI deploys these functions (none: all) behind the pins, and announces the release."""
    world.platform.deploy(list(functions) or None)
    world.advance_clock(timedelta(seconds=5))
    world.announce(name, git_hash=f"hash-of-{name}")
    world.pass_time(6 * MINUTE)
    return read_deployments(world)[name]


def let_through(world: World, functions: Collection[str] = ()) -> None:
    """Unpin these functions (none: all), and wait until the unpin has ended."""
    some: dict[str, Any] = {"functions": [*functions]} if functions else {}
    world.send_command("unpin", **some)
    world.pass_time(12 * MINUTE)
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED


def test_an_announced_release_that_is_unpinned_later_is_one_deployment() -> None:
    """It has its name and its hash, begins when it serves, and bakes from then on."""
    world = build_rolled_back_world()
    unserved = announce_unserved(world)
    assert unserved.unserved == {name: f"{name.lower()}-00003" for name in BOOKSHOP.functions}
    world.pass_time(2 * HOUR)
    assert read_deployments(world)["r3"].status is DeploymentStatus.LIVE
    unpinned_at = world.now
    let_through(world)

    [fix] = find_deployments(world, served_by("00003"))
    assert (fix.id, fix.git_hash, fix.let_through, fix.unserved) == ("r3", "hash-of-r3", True, {})
    assert unpinned_at < fix.at < unpinned_at + MINUTE
    assert fix.status is DeploymentStatus.LIVE
    world.pass_time(HOUR)

    assert read_deployments(world)["r3"].status is DeploymentStatus.STABLE
    assert [one.id for one in StateReader(world.store).deployments("bookshop")][:1] == ["r3"]
    assert world.find_violated_invariants() == []


def test_a_release_that_is_unpinned_in_two_parts_is_that_release_once_it_serves_whole() -> None:
    """The part in between is a deployment of its own."""
    world = build_rolled_back_world()
    announce_unserved(world)
    let_through(world, ["getBook"])
    [part] = find_deployments(world, served_by("00003", "getBook"))
    assert (part.id != "r3", part.let_through) == (True, True)
    let_through(world)

    [fix] = find_deployments(world, served_by("00003"))
    assert fix.id == "r3"
    assert read_deployments(world)[part.id].named == ""


def test_a_look_in_the_middle_of_an_unpin_makes_no_second_deployment() -> None:
    """What is observed half way has turned out to be the release."""
    world = build_rolled_back_world()
    announce_unserved(world)
    looked = list[str]()

    def look_once(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after"):
            looked.append(verb)
            if len(looked) == 4:
                look(world)

    world.platform.hook = look_once
    let_through(world)
    world.platform.hook = no_hook

    named = [one.named for one in read_deployments(world).values() if one.named]
    assert named == ["r3"]
    assert [one.id for one in find_deployments(world, served_by("00003")) if not one.named] == ["r3"]


def test_a_release_that_deployed_the_rest_earlier_is_named_by_the_newest() -> None:
    """r3 deployed all functions, r3b one of them anew: what is unpinned is r3b."""
    world = build_rolled_back_world()
    announce_unserved(world)
    announce_unserved(world, "r3b", ["getBook"])
    let_through(world)

    [fix] = find_deployments(world, {**served_by("00003"), "getBook": {"getbook-00004": 100}})
    assert (fix.id, fix.git_hash) == ("r3b", "hash-of-r3b")


def test_an_unpin_that_brings_back_the_bad_release_is_no_announced_one() -> None:
    """r3 replaced one function alone: the others serve the release that had failed."""
    world = build_rolled_back_world(PROMPT)
    repair_bad_release(world)
    announce_unserved(world, functions=["getBook"])
    let_through(world)

    [fix] = find_deployments(world, {**served_by("00002"), "getBook": {"getbook-00003": 100}})
    assert (fix.id != "r3", fix.let_through) == (True, True)


def test_what_serves_no_request_is_not_called_stable() -> None:
    """CI says so of r3 while pins hold r1: the message is refused, with the reason."""
    world = build_rolled_back_world()
    announce_unserved(world)

    world.announce("r3", stable=True)
    world.pass_time(HOUR)

    assert read_deployments(world)["r3"].status is DeploymentStatus.LIVE
    assert read_deployments(world)["r3"].reason.startswith("no request reaches its revisions")


def test_an_order_back_to_a_stable_deployment_is_no_deployment() -> None:
    """It is recorded already."""
    world = World(policy=shorten_watch())
    world.deploy_bad()

    world.send_command("rollback")
    world.pass_time(30 * MINUTE)

    assert world.live == served_by("00001")
    assert find_deployments(world, served_by("00001")) == []


def test_a_fix_that_has_not_baked_is_not_passed_over_without_approval() -> None:
    """The plan names it and how long it baked; only an approval goes back past it."""
    world = build_fixed_world()
    [fix] = find_deployments(world, served_by("00003"))
    world.pass_time(10 * MINUTE)
    world.deploy_bad()
    world.alert("0.r4")
    world.settle()

    asked = world.newest_rollback
    assert (asked.status, world.live) == (RollbackStatus.PARKED, served_by("00004"))
    line = f"{fix.id}, live since 2026-03-02 12:28 UTC, is passed over: 15 of 30 minutes baked"
    assert asked.question is not None
    assert asked.question.reason == f"target: v1, but {line}"
    assert line in asked.question.plan.reported
    explained = newest_decision(world.trail(asked))
    assert explained is not None
    assert line in explained.reported
    [text] = [str(one.notice["text"]) for one in world.sent_notices if ":rollback.parked:record" in one.key]
    assert line in text.split("\n")

    world.send_command("approve", incident=asked.incident, plan=asked.question.plan.fingerprint)
    world.pass_time(12 * MINUTE)

    assert world.live == served_by("00001")
    assert find_deployments(world, served_by("00003"))[0].status is DeploymentStatus.BAD


def test_a_bad_release_soon_after_an_unpin_is_asked_about() -> None:
    """CI deployed it over what operators chose: the plan passes over the fix, and people answer."""
    gates = replace(BOOKSHOP.gates, cool_down=5 * MINUTE)
    world = build_rolled_back_world(replace(BOOKSHOP, gates=gates))
    unpin(world)
    [fix] = find_deployments(world, served_by("00003"))
    world.deploy_bad()
    world.alert("0.r4")
    world.settle()

    asked = world.newest_rollback
    assert asked.question is not None
    assert [line for line in asked.question.plan.reported if line.startswith(f"{fix.id}, live since")]


def test_a_bad_choice_of_operators_is_asked_about_not_left_alone() -> None:
    """What an unpin let serve fails at once: nobody waits an hour for a question."""
    gates = replace(BOOKSHOP.gates, cool_down=timedelta(seconds=1))
    world = build_rolled_back_world(replace(BOOKSHOP, gates=gates))
    world.platform.deploy(failure_rate=0.8)
    world.pass_time(6 * MINUTE)
    world.send_command("unpin")
    world.pass_time(20 * MINUTE)
    world.alert("0.r3")
    world.pass_time(2 * MINUTE)

    asked = world.newest_rollback
    assert asked.question is not None, asked.outcome
    assert world.live == served_by("00003")


def test_a_plan_of_an_order_names_what_it_passes_over() -> None:
    """An operator's order is not asked about again: the plan says what it gives up."""
    world = build_fixed_world()
    [fix] = find_deployments(world, served_by("00003"))
    world.deploy_bad()

    world.send_command("rollback")
    world.pass_time(MINUTE)

    ordered = world.newest_rollback
    assert ordered.plan is not None
    assert [line for line in ordered.plan.reported if line.startswith(f"{fix.id}, live since")]
    assert world.live == served_by("00001")


@pytest.mark.parametrize("seen_for", [MINUTE / 2, 5 * MINUTE], ids=["rolling out", "settled"])
def test_a_fix_is_not_bad_because_an_earlier_rollback_ends(seen_for: timedelta) -> None:
    """What operators let serve while a rollback is verified was not taken back by it."""
    world = World(policy=shorten_watch())
    world.deploy_bad()
    publish_audit_hint(world)
    world.pass_time(seen_for)
    done = list[str]()

    def deploy_fix(verb: str, side: str) -> None:
        done.append(verb)
        if (verb, side) == ("metrics.requests", "before") and "platform.shift" in done:
            world.platform.hook = no_hook
            world.ports.counts.hook = no_hook
            look(world)
            world.platform.deploy(["getBook"])
            world.platform.change_by_hand("getBook", (TrafficTarget("getbook-00003", 100),))
            look(world)

    world.platform.hook = world.ports.counts.hook = deploy_fix
    world.alert()
    world.pass_time(20 * MINUTE)

    [fix] = find_deployments(world, served_by("00003", "getBook"))
    assert fix.status is DeploymentStatus.LIVE
    [bad] = find_deployments(world, served_by("00002"))
    assert bad.status is DeploymentStatus.BAD


def test_a_release_that_is_observed_half_way_is_one_deployment_and_nobodys_change_by_hand() -> None:
    """CI deploys while traffic is held, moves it and announces: looks between change nothing."""
    world = build_rolled_back_world(PROMPT)
    world.platform.deploy(failure_rate=0.8)
    look(world)
    for name in BOOKSHOP.functions:
        world.platform.change_by_hand(name, FOLLOWING)
        look(world)
    world.announce("r3")
    world.pass_time(10 * MINUTE)

    assert [one.id for one in find_deployments(world, served_by("00003")) if not one.named] == ["r3"]
    assert read_system(world).suspended == {}
    world.alert("0.r3")
    world.pass_time(12 * MINUTE)
    assert world.live == served_by("00001")


def test_a_release_that_has_settled_is_moved_by_hand() -> None:
    """Who moves traffic to what was deployed long before is not the one who deployed it."""
    world = build_rolled_back_world(PROMPT)
    move_by_hand(world)

    assert set(read_system(world).suspended) == set(BOOKSHOP.functions)
