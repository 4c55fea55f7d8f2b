"""The life of deployments: found by looking, whoever tells of them or does not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.core.errors import Unavailable
from shared.domain.deployments.deployment import DeploymentStatus, record_path
from shared.domain.deployments.inventory.inventory_parts import HostingSite
from shared.domain.deployments.inventory.inventory_record import unpack_inventory
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.notices.system_events import read_dead_letters, system_event_names
from tests.support.rollbacks.approvals import build_world_awaiting_approval
from tests.support.rollbacks.deployments import (
    MINUTE,
    SHOP,
    deploy_release,
    later_deployments,
    publish_audit_hint,
    read_deployments,
    read_stock,
)
from tests.support.runtime.world import BOOKSHOP, World


def test_an_announcement_names_what_the_inventory_shows() -> None:
    """The inventory is believed, not the message; what is announced has to settle as well."""
    world = World()
    deploy_release(world, "getBook")

    world.announce("v2", git_hash="a1b2c3")
    world.settle()

    [deployment] = later_deployments(world)
    assert (deployment.id, deployment.status, deployment.git_hash) == (
        "v2",
        DeploymentStatus.ROLLING_OUT,
        "a1b2c3",
    )
    assert deployment.changed_functions == ("getBook",)
    assert deployment.functions["getBook"].revisions == world.live["getBook"]
    world.pass_time(3 * MINUTE)
    assert later_deployments(world)[0].status is DeploymentStatus.LIVE


def test_an_announcement_without_a_change_is_recorded_at_once() -> None:
    """What is live has another name now."""
    world = World()

    world.announce("v2", git_hash="a1b2c3")
    world.settle()

    [deployment] = later_deployments(world)
    assert (deployment.status, deployment.git_hash, deployment.changes) == (
        DeploymentStatus.LIVE,
        "a1b2c3",
        (),
    )


def test_what_was_called_stable_is_not_what_is_live_any_more() -> None:
    """Somebody deployed after it was said: what they deployed is not stable for that."""
    world = World()
    said_at = world.now
    world.advance_clock(MINUTE)
    deploy_release(world, "getBook")

    world.announce("v2", stable=True, at=said_at.isoformat())
    world.settle()

    [letter] = read_dead_letters(world)
    assert letter["reason"] == "not the deployment announced as stable: getBook serves a newer revision"
    assert "v2" not in read_deployments(world)


def test_what_is_live_during_an_incident_is_not_called_stable() -> None:
    """Whoever says so may not know of it yet."""
    world = build_world_awaiting_approval()

    world.announce("v2", stable=True)
    world.settle()

    [letter] = read_dead_letters(world)
    assert letter["reason"].startswith("no deployment becomes stable during INC-")
    assert "v2" not in read_deployments(world)


def test_a_deployment_without_a_name_is_named_after_its_time() -> None:
    """The runbook's id, by the second."""
    world = World()

    world.announce("", stable=True)
    world.settle()

    assert "deploy_20260302_120000" in read_deployments(world)


def test_a_known_deployment_is_not_recorded_twice() -> None:
    """A redelivery changes nothing, whatever is live by then."""
    world = World()
    before = read_deployments(world)["v1"]
    world.platform.deploy()

    world.announce("v1", stable=True)
    world.settle()

    assert replace(read_deployments(world)["v1"], due_at=before.due_at) == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not a message"),
        (b"[]", "not a JSON object"),
        ({"version": 2, "system": "bookshop"}, "$.version"),
        ({"version": 1, "system": "nowhere"}, "nowhere is not known"),
        ({"version": 1, "system": "bookshop", "typo": 1}, "typo"),
        ({"kind": "deployment", "id": "x"}, "no hand-over"),
        ({"kind": "inventory", "id": "nowhere", "due_at": "2026-03-02T12:00:00Z"}, "not known"),
        ({"protoPayload": "x"}, "$.protoPayload"),
        ({"logName": "x", "textPayload": "y"}, "$.protoPayload is missing"),
        ({"version": 1, "system": "bookshop", "barrier": " \u200b"}, "barrier: no visible character"),
        ({"version": 1, "system": "bookshop", "deployment": "last-stable"}, "last-stable always names"),
    ],
)
def test_what_tells_nothing_is_refused(content: dict[str, object] | bytes, reason: str) -> None:
    """Nothing is recorded, the message is kept."""
    world = World()

    world.publish(topics.DEPLOYMENTS, content)
    world.settle()

    assert reason in read_dead_letters(world)[0]["reason"]
    assert list(read_deployments(world)) == ["v1"]


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (
            {"version": 2, "system": "nowhere", "typo": 1, "at": "soon", "stable": "yes"},
            ["$.version", "nowhere", "'typo'", "$.at", "$.stable"],
        ),
        (
            {"timestamp": "soon", "protoPayload": {"serviceName": 1}},
            ["$.timestamp", "$.protoPayload.serviceName", "$.protoPayload.methodName is missing"],
        ),
    ],
)
def test_every_fault_of_a_message_is_told(content: dict[str, Any], faults: list[str]) -> None:
    """Whoever wrote it repairs all of it at once."""
    world = World()

    world.publish(topics.DEPLOYMENTS, content)
    world.settle()

    [letter] = read_dead_letters(world)
    assert [one for one in faults if one not in letter["reason"]] == []


def test_a_barrier_asks_a_person() -> None:
    """Past a deployment with a barrier nobody goes back by machine."""
    world = World()
    world.deploy_bad()
    world.announce("v2", barrier="database migrated")
    world.settle()

    world.alert()
    world.settle()

    assert world.rollback.status == "PARKED"
    assert world.platform.applied_shifts == []


def test_the_first_look_is_the_baseline_and_the_next_change_the_first_deployment() -> None:
    """What was there when we came is no deployment; it is what the first one differs from."""
    world = World()
    assert list(read_deployments(world)) == ["v1"]
    assert read_stock(world).live.functions is not None

    deploy_release(world)
    publish_audit_hint(world)
    world.settle()

    [deployment] = later_deployments(world)
    assert deployment.id == f"deploy_{deployment.at:%Y%m%d_%H%M%S}"
    assert (deployment.status, set(deployment.changed_functions)) == (
        DeploymentStatus.ROLLING_OUT,
        set(BOOKSHOP.functions),
    )


def test_a_deployment_of_which_no_hint_came_is_found_by_looking() -> None:
    """Lost audit entries cost five minutes at most; its time is that of its revision."""
    world = World()
    deploy_release(world, "getBook")
    made_at = world.now

    world.pass_time(6 * MINUTE)

    [deployment] = later_deployments(world)
    assert (deployment.at, deployment.changed_functions) == (made_at, ("getBook",))
    assert deployment.backup_at is not None
    assert deployment.backup_at == made_at.replace(second=0) - MINUTE * (made_at.second == 0)


def test_a_deployment_settles_when_nothing_more_changes() -> None:
    """Two deploys inside one quiet window are one deployment; its record is whole."""
    world = World()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.settle()
    deploy_release(world, "payOrder")
    publish_audit_hint(world)
    world.settle()
    [rolling] = later_deployments(world)
    assert rolling.status is DeploymentStatus.ROLLING_OUT

    world.pass_time(3 * MINUTE)

    [deployment] = later_deployments(world)
    assert (deployment.id, deployment.status) == (rolling.id, DeploymentStatus.LIVE)
    assert deployment.changed_functions == ("getBook", "payOrder")
    assert deployment.functions["payOrder"].revisions == world.live["payOrder"]
    record = world.documents[record_path("bookshop", deployment.id)]
    assert unpack_inventory(record["live"]) == read_stock(world).live
    assert deployment.health["probe shop"].startswith("passed")
    assert deployment.restorable is not None
    assert deployment.restorable.faults == ()


def test_two_deploys_apart_are_two_deployments() -> None:
    """After the quiet window it is another one."""
    world = World()
    for function in ("getBook", "payOrder"):
        deploy_release(world, function)
        publish_audit_hint(world)
        world.pass_time(4 * MINUTE)

    assert [one.changed_functions for one in later_deployments(world)] == [("getBook",), ("payOrder",)]


@pytest.mark.parametrize(
    "changes",
    [
        {"serviceName": "compute.googleapis.com"},
        {"methodName": "google.cloud.functions.v2.FunctionService.GetFunction"},
        {"resourceName": "projects/another/locations/l/functions/getBook"},
        {"resourceName": ""},
    ],
)
def test_a_hint_that_concerns_nobody(changes: dict[str, str]) -> None:
    """It is no fault of anybody's: no look, no dead letter."""
    world = World()
    deploy_release(world, "getBook")

    publish_audit_hint(world, None, **changes)
    world.settle()

    assert (later_deployments(world), read_dead_letters(world)) == ([], [])


def test_hints_that_come_late_twice_and_in_any_order() -> None:
    """A hint means "look now": whatever it was about, there is one deployment."""
    world = World()
    deploy_release(world, "getBook")
    made_at = world.now
    for late in (3, 1, 2, 1):
        world.advance_clock(timedelta(seconds=20))
        publish_audit_hint(world, made_at + late * timedelta(seconds=1))
        world.settle()

    assert [one.changed_functions for one in later_deployments(world)] == [("getBook",)]


def test_a_hint_from_the_end_of_the_calendar() -> None:
    """Whatever clock it was logged by, what is live now is looked at."""
    world = World()
    deploy_release(world, "getBook")

    publish_audit_hint(world, datetime.max.replace(tzinfo=UTC))
    world.settle()

    assert [one.changed_functions for one in later_deployments(world)] == [("getBook",)]
    assert read_dead_letters(world) == []


def test_a_hint_of_what_was_already_seen_costs_no_look() -> None:
    """What was logged before the last look is in it."""
    world = World()
    deploy_release(world, "getBook")
    made_at = world.now
    world.advance_clock(MINUTE)
    publish_audit_hint(world)
    world.settle()
    seen = read_stock(world)

    publish_audit_hint(world, made_at)
    world.settle()

    assert read_stock(world) == seen


def test_an_announcement_that_comes_after_the_deployment_was_found_names_it() -> None:
    """There is one deployment, by its announced name; the other document says so and expires."""
    world = World()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.pass_time(4 * MINUTE)
    [deployment] = later_deployments(world)

    world.announce("v2", git_hash="a1b2c3")
    world.settle()

    deployments = read_deployments(world)
    assert deployments[deployment.id].named == "v2"
    assert deployments[deployment.id].expires_at is not None
    assert (deployments["v2"].status, deployments["v2"].changed_functions) == (
        DeploymentStatus.LIVE,
        ("getBook",),
    )
    assert record_path("bookshop", "v2") in world.documents


def test_an_announcement_without_a_name_tells_more_of_what_was_found() -> None:
    """A barrier stands on the deployment that is live, not on one of its own."""
    world = World()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.settle()

    world.announce("", barrier="payments migrated")
    world.settle()

    assert [one.barrier for one in later_deployments(world)] == ["payments migrated"]


def test_a_part_that_gives_no_answer_changes_nothing_and_is_told() -> None:
    """Unknown is neither gone nor the same; what is known is compared all the same."""
    world = World(policy=SHOP)
    world.ports.beside.sites = {"shop": HostingSite("s1", START)}
    publish_audit_hint(world)
    world.pass_time(4 * MINUTE)
    world.ports.beside.hook = raise_error("hosting.site", Unavailable("no answer"))
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.settle()

    assert read_stock(world).unknown == ("sites",)
    assert read_stock(world).live.sites == {"shop": HostingSite("s1", START)}
    assert [one.name for one in later_deployments(world)[-1].changes] == ["getBook"]
    assert "inventory.unknown" in system_event_names(world)


def test_a_duplicate_of_a_hand_over_does_nothing() -> None:
    """What is not due any more was done."""
    world = World()
    world.pass_time(6 * MINUTE)
    before = world.documents
    due_at = before["inventory/bookshop"]["due_at"] - 5 * MINUTE

    for kind, key in (("inventory", "bookshop"), ("deployment", "bookshop:v1")):
        again = {"kind": kind, "id": key, "due_at": due_at.isoformat()}
        world.publish(topics.DEPLOYMENTS, json.dumps(again).encode())
    world.settle()

    assert world.documents == before
