"""Whether to act at all, and on what: each situation whole, over the embedded cloud."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TypeVar

import pytest

from local.application import names
from local.application.parts import FIRST_RELEASE
from local.services.artifact_registry import repositories
from shared.core import topics
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.plan import PlanHeader
from shared.domain.rollback.rollback import Rollback, RollbackStatus
from tests.e2e.support.cli import run
from tests.e2e.support.deployments import newest
from tests.e2e.support.world import SCALE, World, pass_time, until
from tests.local.support.image_retention import repository_path, set_retention
from tests.local.support.rest import Product

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
LATE = 5 * MINUTE
"""After so long the routers have counted enough of what happens now."""
T = TypeVar("T")


def group(world: World, name: str) -> frozenset[str]:
    """The functions of a group."""
    return frozenset(world.policy.groups[name].functions)


def deploy_bad(world: World, release: str, functions: Collection[str] | None = None) -> None:
    """A bad release of some functions, of all by default."""
    world.application.deploy(functions, release=release, failure_rate=0.8)


def announce(world: World, release: str, **said: object) -> Deployment:
    """CI tells of what is live; it, as recorded."""
    message = {"version": 1, "system": world.policy.system, "deployment": release, **said}
    world.publish(topics.DEPLOYMENTS, message)
    return until(release, lambda: world.evidence.deployment(release))


def delete_image(world: World, function: str, release: str) -> None:
    """A clean-up policy takes an image away; its revision is called ready all the same."""
    project, region = world.policy.project, world.policy.region
    _, version = names.image(project, region, function, release).split("@")
    place, registry = repository_path(project, region), Product(world.cloud, repositories.HOST)
    set_retention(registry, place, 86400, versionNamePrefixes=[version])
    assert version not in str(registry.get(f"{place}/dockerImages"))


def judged(world: World, what: str, condition: Callable[[Rollback], T | None]) -> T:
    """What is true of the only rollback in the end; whenever it waits, the clock goes on."""

    def look() -> T | None:
        one = world.rollback()
        if one is None:
            return None
        found, waits = condition(one), one.lease is None and one.due_at
        if not found and waits:
            world.advance_to(max(waits, world.cloud.clock.now() + SECOND))
        return found

    return until(what, look)


def planned(world: World) -> None:
    """There is an alert, and a plan; time stands still, so that no shift ends before the next one.

    Whoever goes on with the roll-out lets time go on.
    """
    world.cloud.clock.rescale(0)
    world.alert()
    judged(world, "the plan", lambda one: one.plan)


def carried_out(world: World) -> PlanHeader:
    """The plan of the rollback, once each of its steps is done."""
    return judged(world, "the rollback", lambda one: one.plan if world.is_carried_out() else None)


def begin_roll_out(world: World) -> None:
    """A bad release has reached one group, a minute ago."""
    pass_time(world, MINUTE)
    deploy_bad(world, "v2", group(world, "catalogue"))
    pass_time(world, MINUTE)


def reach_checkout(world: World) -> None:
    """It reaches another group, and time goes on until the plan is extended."""
    deploy_bad(world, "v2", group(world, "checkout"))
    world.cloud.clock.rescale(SCALE)
    judged(world, "the extension", lambda one: one.plan and one.plan.extensions)


def wait_for_copies(world: World) -> None:
    """All that the stable release is built from is kept."""
    until("our copies", lambda: world.evidence.buildable("v1") >= set(world.policy.functions))


def assert_pay_order_is_rebuilt(world: World) -> None:
    """The rollback builds `payOrder` again, once, and its plan says so.

    It may be part of an extension: what a probe proves goes back before the rest of the release.
    """
    judged(world, "the plan to rebuild payOrder", plans_to_rebuild_pay_order)
    carried_out(world)
    assert world.evidence.builds() == {"payOrder": 1}


def plans_to_rebuild_pay_order(rollback: Rollback) -> bool:
    """Whether the plan of the rollback reports that `payOrder` is rebuilt."""
    reported = rollback.plan.reported if rollback.plan else ()
    return any("payOrder is rebuilt" in line for line in reported)


def escalated(world: World) -> tuple[Rollback, str]:
    """The rollback that a person has to see to, and what they were told; nothing was changed."""
    one = judged(world, "the decision", lambda one: one if one.ended_at else None)
    assert one.status is RollbackStatus.NOT_TAKEN
    assert world.evidence.incidents()[0].status is IncidentStatus.ESCALATED
    assert world.evidence.operations() == {}
    told = (said.text for said in world.evidence.notices() if "rollback.escalated" in said.id)
    return one, next(told)


def went_back(world: World, changed: Collection[str]) -> None:
    """All serves what it served; what was changed alone was shifted, each function once.

    What a probe proves goes back at once, the rest of the release when its requests prove it.
    """
    judged(world, "the rollback of everything that was changed", lambda _: world.live == world.stable)
    services = {name.rpartition("/")[2] for name in world.evidence.operations().values()}
    assert services == {function.lower() for function in changed}
    assert len(world.evidence.operations()) == len(changed)


def test_an_outage_without_a_change(world: World) -> None:
    """No cause, no rollback: a person has it, with the plan's one command, and why."""
    for function in world.policy.functions:
        world.application.degrade(function, failure_rate=0.8)
    pass_time(world, LATE)

    world.alert()
    one, told = escalated(world)

    assert one.outcome == "cause: nothing changed since v1"
    assert f"rollback run --system bookshop --target v1 --reason {one.incident}" in told
    explained = run("explain", one.incident).output
    assert explained.startswith(f"Not rolled back: {one.outcome.removeprefix('cause: ')}.\n")
    assert "a change of something that fails, before the failure began" in explained


@pytest.mark.parametrize("name", ["", "catalogue"])
def test_an_alert_one_minute_after_a_bad_deploy(name: str, world: World) -> None:
    """Right target and scope, before anybody has hinted at it and before its minutes count."""
    changed = group(world, name) if name else frozenset(world.policy.functions)
    pass_time(world, MINUTE)
    deploy_bad(world, "v2", changed)
    pass_time(world, MINUTE)

    world.alert()
    assert carried_out(world).target == "v1"
    went_back(world, changed)


@pytest.mark.slice
def test_an_alert_during_the_roll_out(world: World) -> None:
    """What it reaches after the alert goes back as well, by an extension on record."""
    begin_roll_out(world)
    planned(world)

    reach_checkout(world)
    carried_out(world)

    went_back(world, group(world, "catalogue") | group(world, "checkout"))
    [rollback] = world.evidence.rollbacks()
    assert world.events(rollback).count("plan.extended") == 1


@pytest.mark.slice
def test_the_image_of_what_the_roll_out_reaches_later_was_cleaned_up(world: World) -> None:
    """An extension builds that function again from our copy, as a first plan would have."""
    wait_for_copies(world)
    begin_roll_out(world)
    planned(world)

    delete_image(world, "payOrder", FIRST_RELEASE)
    reach_checkout(world)
    assert_pay_order_is_rebuilt(world)


def test_two_bad_deploys(world: World) -> None:
    """Back past both, to the last one that was stable."""
    begin_roll_out(world)
    announce(world, "v2")
    deploy_bad(world, "v3")
    pass_time(world, MINUTE)
    announce(world, "v3")

    world.alert()
    assert carried_out(world).target == "v1"
    went_back(world, world.policy.functions)


def test_unchanged_functions_that_fail_alike(world: World) -> None:
    """What changed is not what separates the ill from the well: the cause is elsewhere."""
    changed = group(world, "catalogue")
    pass_time(world, MINUTE)
    deploy_bad(world, "v2", changed)
    for function in set(world.policy.functions) - changed:
        world.application.degrade(function, failure_rate=0.8)
    pass_time(world, LATE)

    world.alert()
    one, told = escalated(world)

    assert one.outcome.startswith("external cause: 100% of the unchanged functions fail")
    assert "prepared: back to v1, 3 functions" in told


def test_a_barrier_between(world: World) -> None:
    """Nobody goes back past it by machine: people are asked, with the reason that was given."""
    pass_time(world, MINUTE)
    deploy_bad(world, "v2")
    pass_time(world, MINUTE)
    announce(world, "v2", barrier="orders were migrated")
    pass_time(world, LATE)

    world.alert()
    question = judged(world, "the question", lambda one: one.question)

    assert question.reason == "barrier: v2 (orders were migrated)"
    assert world.evidence.operations() == {}


@pytest.mark.slice
def test_the_image_of_the_target_was_cleaned_up(world: World) -> None:
    """That function is built again from our copy; nothing is shifted to what cannot start."""
    wait_for_copies(world)
    pass_time(world, MINUTE)
    deploy_bad(world, "v2")
    [gone] = world.stable["payOrder"]
    delete_image(world, "payOrder", FIRST_RELEASE)
    pass_time(world, MINUTE)

    world.alert()
    assert_pay_order_is_rebuilt(world)
    [built] = world.live["payOrder"]
    assert built != gone
    others = set(world.policy.functions) - {"payOrder"}
    judged(world, "the rest of the release", lambda _: all(is_back(world, name) for name in others))
    shifted = {name.rpartition("/")[2] for name in world.evidence.operations().values()}
    assert shifted >= {name.lower() for name in others}


def is_back(world: World, function: str) -> bool:
    """Whether a function serves what it served before the release."""
    return world.live[function] == world.stable[function]


def test_a_deployment_of_which_every_hint_was_lost(world: World) -> None:
    """The first one after the baseline is found by looking, and it is what goes back."""
    pass_time(world, MINUTE)
    deploy_bad(world, "v2")
    pass_time(world, world.policy.deployments.look_every)
    found = until("the look", lambda: newest(world, DeploymentStatus.ROLLING_OUT))
    assert set(found.changed_functions) == set(world.policy.functions)

    world.alert()
    carried_out(world)

    went_back(world, world.policy.functions)


def test_an_alert_that_stays_true_and_inconclusive(world: World) -> None:
    """Judged again each half minute; when its time to be decided is over, a person has it."""
    for function in world.policy.functions:
        world.application.remove_traffic(function)  # enough requests would refute it
    pass_time(world, MINUTE)
    world.application.deploy(release="v2")
    pass_time(world, MINUTE)

    world.alert()
    one, _ = escalated(world)

    assert one.outcome == "cause: what fails is not known yet, until the time to decide was over"
    assert world.events(one).count("decision.held") >= 4
    [trouble] = world.evidence.incidents()
    assert trouble.timeline[-1].at - trouble.detected_at >= 3 * MINUTE
