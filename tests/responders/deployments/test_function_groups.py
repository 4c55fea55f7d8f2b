"""Functions that patterns cover, and functions that no group has, from deployment to rollback."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.support.published_policies import PublishedPolicies
from shared.domain.deployments.inventory.inventory_record import inventory_path
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Group, Policy
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.system_record import system_path
from tests.support.notices.system_events import notified_texts, read_dead_letters, system_event_names
from tests.support.runtime.world import BOOKSHOP, FakePorts, World

FIVE_MINUTES = timedelta(minutes=5)
CATCH_ALL = replace(
    BOOKSHOP,
    groups={
        **{name: BOOKSHOP.groups[name] for name in ("catalogue", "storefront")},
        "checkout": replace(BOOKSHOP.groups["checkout"], functions=("createOrder", "pay*", "orderStatus")),
        "others": Group(("*",)),
    },
)
"""The bookshop with a pattern, and a group of every function that no other group has."""
ADVICE = "add each to a group, or add a group with functions: ['*']"


def world_of(policy: Policy, *, promoted: bool = True) -> World:
    return World(policy=policy, ports=FakePorts(BOOKSHOP), promoted=promoted)


def release(world: World, function: str, *, failure_rate: float = 0.0) -> None:
    """Deploy a function, new or not, and let the deployment settle."""
    if function not in world.live:
        world.platform.create_function(function)
    world.platform.deploy([function], failure_rate=failure_rate)


def notice_texts(world: World) -> list[str]:
    return [sent.notice["text"] for sent in world.sent_notices]


def stored(world: World, field: str) -> Any:
    return world.documents[inventory_path("bookshop")][field]


def build_world_with_new_function() -> World:
    """A function that no pattern but `*` names is part of the stable deployment v2."""
    world = world_of(CATCH_ALL)
    release(world, "sendReceipt")
    world.pass_time(FIVE_MINUTES)
    world.announce("v2", stable=True)
    world.settle()
    return world


def test_a_new_function_is_rolled_back_without_a_change_of_the_policy() -> None:
    """The group `*` has it with the next look; its bad release is rolled back as any other."""
    world = build_world_with_new_function()
    assert world.policies["bookshop"].functions["sendReceipt"] == "others"
    stable = world.live

    world.deploy_bad(["sendReceipt"])
    world.alert(resource={"type": "cloud_run_revision", "labels": {"service_name": "sendreceipt"}})
    world.pass_time(FIVE_MINUTES)

    incident = world.incident
    assert [one.function for one in incident.scopes] == ["sendReceipt"]
    assert world.live == stable
    assert world.find_violated_invariants() == []


def test_every_function_fails_under_patterns() -> None:
    """A mass failure is rolled back automatically, the functions of patterns among them."""
    world = build_world_with_new_function()
    stable = world.live

    world.deploy_bad()
    world.alert()
    world.pass_time(FIVE_MINUTES)

    assert world.live == stable
    assert "sendReceipt" in stable


def test_a_function_that_is_replaced_under_another_name() -> None:
    """The pattern has the new name; it has the old one until the deletion is stable."""
    world = world_of(CATCH_ALL)
    world.platform.delete_function("payOrder")
    release(world, "payOrders")
    world.pass_time(2 * FIVE_MINUTES)

    assert world.policies["bookshop"].groups["checkout"].functions == (
        "createOrder",
        "orderStatus",
        "payOrder",
        "payOrders",
    )
    assert [*stored(world, "deleted")] == ["payOrder"]

    world.announce("v2", stable=True)
    world.pass_time(2 * FIVE_MINUTES)

    assert stored(world, "deleted") == {}
    assert "payOrder" not in world.policies["bookshop"].functions
    assert "payOrders" in world.policies["bookshop"].functions


def test_the_team_is_notified_of_a_function_in_no_group() -> None:
    """Within five minutes, once, with what to do; each further function once too."""
    world = World()
    release(world, "sendReceipt")
    world.pass_time(FIVE_MINUTES)

    text = "bookshop: 1 function is in no group of the policy and never rolled back: sendReceipt; "
    assert notified_texts(world, "ungrouped") == [text + ADVICE]
    assert system_event_names(world).count("functions.ungrouped") == 1
    assert stored(world, "ungrouped") == ["sendReceipt"]

    release(world, "sendReceipt")
    release(world, "sendInvoice")
    world.pass_time(2 * FIVE_MINUTES)

    _, text = notified_texts(world, "ungrouped")
    assert text.startswith(
        "bookshop: 1 function is in no group of the policy and never rolled back: sendInvoice"
    )


def test_functions_of_the_rollback_system_in_the_same_project() -> None:
    """They are in no group, and no one is notified."""
    world = world_of(CATCH_ALL)
    release(world, "rollback-on-work")
    world.pass_time(FIVE_MINUTES)

    assert notified_texts(world, "ungrouped") == []
    assert "rollback-on-work" not in world.policies["bookshop"].functions


@pytest.mark.parametrize("mode", ["ask", "act"])
def test_a_promotion_while_functions_are_in_no_group(mode: str) -> None:
    """It is refused with their names, until a group covers them."""
    world = World(promoted=False)
    for number in range(7):
        release(world, f"extra{number}")
    world.pass_time(FIVE_MINUTES)

    world.carry_out("promote", mode=mode)

    [refusal] = read_dead_letters(world)
    assert f"mode {mode} is refused: 7 functions are in no group" in json.dumps(refusal)
    assert "extra0, extra1, extra2, extra3, extra4 and 2 more" in json.dumps(refusal)
    assert system_path("bookshop") not in world.documents

    world.policy = CATCH_ALL
    world.start_instances()
    world.carry_out("promote", mode=mode)

    assert len(read_dead_letters(world)) == 1
    assert notice_texts(world)[-1].startswith(f"bookshop: automation mode {mode}")


def test_a_promotion_before_the_functions_are_read() -> None:
    """Nobody can know yet whether a group covers them all."""
    world = World(promoted=False)
    world.policy = replace(BOOKSHOP, system="library")
    world.start_instances()

    world.carry_out("promote", mode="ask")

    [refusal] = read_dead_letters(world)
    assert "mode ask is refused: the live functions have not been read yet" in json.dumps(refusal)
    assert system_path("library") not in world.documents


def test_observing_is_possible_while_functions_are_in_no_group() -> None:
    """Less automation is never refused."""
    world = World()
    release(world, "sendReceipt")
    world.pass_time(FIVE_MINUTES)

    world.carry_out("promote", mode="observe")

    assert read_dead_letters(world) == []


def test_an_alert_about_a_function_in_no_group() -> None:
    """It is an incident of that one function; nothing is rolled back, and people are told why."""
    world = World()
    release(world, "sendReceipt", failure_rate=0.8)
    world.pass_time(timedelta(minutes=10))
    live = world.live

    labels = {"project_id": "bookshop-prod", "service_name": "sendreceipt"}
    world.alert(resource={"type": "cloud_run_revision", "labels": labels})
    world.pass_time(FIVE_MINUTES)
    assert world.rollback.status is RollbackStatus.DECIDING  # no second source sees it
    world.pass_time(world.policy.gates.decide_within[Severity.LOW])

    incident = world.incident
    assert incident.severity is Severity.LOW
    assert [one.function for one in incident.scopes] == ["sendreceipt"]
    assert incident.status is IncidentStatus.ESCALATED
    told = [one for one in notice_texts(world) if "sendreceipt" in one]
    assert any(
        f"1 function is in no group of the policy and never rolled back: sendreceipt; {ADVICE}" in one
        for one in told
    )
    assert not any("8 of 8" in one for one in notice_texts(world))
    assert world.live == live

    world.platform.deploy(["sendReceipt"])
    world.pass_time(FIVE_MINUTES)
    world.ports.alerts.open["0.abc"] = False
    world.alert(state="closed", resource={"type": "cloud_run_revision", "labels": labels})
    world.pass_time(timedelta(hours=1))

    incident = world.incident
    assert incident.status is IncidentStatus.RESOLVED
    assert world.live["sendReceipt"] != live["sendReceipt"]


def test_instances_follow_the_functions_that_are_live() -> None:
    """Every handler works with the names; where nothing changed, with the same policies."""
    world = world_of(CATCH_ALL)
    published = PublishedPolicies(world.ports)

    policies = published.current()

    assert policies.policies["bookshop"].functions["payOrder"] == "checkout"
    world.advance_clock(timedelta(minutes=1))
    assert published.current() is policies
    release(world, "sendReceipt")
    world.pass_time(FIVE_MINUTES)
    assert published.current().policies["bookshop"].functions["sendReceipt"] == "others"
