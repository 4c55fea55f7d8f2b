from __future__ import annotations

import pytest

from shared import topics
from tests.test_alerts import dead_letters
from tests.world import World


def recorded(world: World) -> dict[str, dict[str, object]]:
    return {
        path.partition(":")[2]: fields
        for path, fields in world.ports.store.documents.items()
        if path.startswith("deployments/")
    }


def test_an_announcement_records_what_is_really_live() -> None:
    """The inventory is believed, not the message."""
    world = World()
    world.ports.world.deploy(["getBook"])

    world.announce("v2", git_hash="a1b2c3")
    world.settle()

    deployment = recorded(world)["v2"]
    assert (deployment["status"], deployment["git_hash"]) == ("LIVE", "a1b2c3")
    functions = deployment["functions"]
    assert isinstance(functions, dict)
    assert functions["getBook"]["revisions"] == world.live["getBook"]


def test_a_deployment_without_a_name_is_named_after_its_time() -> None:
    """The runbook's id, by the second."""
    world = World()

    world.announce("", stable=True)
    world.settle()

    assert "deploy_20260302_120000" in recorded(world)


def test_a_known_deployment_is_not_recorded_twice() -> None:
    """A redelivery changes nothing, whatever is live by then."""
    world = World()
    before = recorded(world)["v1"]
    world.ports.world.deploy()

    world.announce("v1", stable=True)
    world.settle()

    assert recorded(world)["v1"] == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "no announcement"),
        ({"version": 2, "system": "bookshop"}, "$.version"),
        ({"version": 1, "system": "nowhere"}, "nowhere is not known"),
        ({"version": 1, "system": "bookshop", "typo": 1}, "typo"),
    ],
)
def test_what_is_no_announcement_is_refused(
    content: dict[str, object] | bytes, reason: str
) -> None:
    """Nothing is recorded, the message is kept."""
    world = World()

    world.publish(topics.DEPLOYMENTS, content)
    world.settle()

    assert reason in dead_letters(world)[0]["reason"]
    assert list(recorded(world)) == ["v1"]


def test_a_barrier_asks_a_person() -> None:
    """Past a deployment with a barrier nobody goes back by machine."""
    world = World()
    world.deploy_bad()
    world.announce("v2", barrier="database migrated")
    world.settle()

    world.alert()
    world.settle()

    [one] = world.rollbacks()
    assert one.status == "PARKED"
    assert world.ports.world.applied_shifts == []
