"""Revisions made to start over the embedded cloud, by Google's own clients."""

from __future__ import annotations

from datetime import timedelta

from local import secrets
from local.application.service import Configuration
from shared import starts, topics
from shared.deployment import Deployment
from tests.e2e.prompt import run, value
from tests.e2e.world import World, pass_time, until
from tests.local.rest_world import Product

STAND = "rollback-starts"
SECRET = "STARTS_WITH"
BOUND = Configuration({"GREETING": "value-of-a-variable"}, {"KEY": f"{SECRET}/1"})


def target(world: World) -> Deployment:
    found = world.evidence.deployment("v2")
    assert found is not None
    return found


def stable_with_a_secret(world: World) -> None:
    """A release that binds a secret is what one would go back to; nobody asks for one function."""
    project = world.policy.project
    world.cloud.surroundings.secrets.found(project, SECRET, world.cloud.clock.now())
    world.application.leave_alone("payOrder")
    world.application.deploy(["payOrder"], release="v2", configuration=BOUND)
    pass_time(world, timedelta(minutes=5))
    said = {"version": 1, "system": "bookshop", "deployment": "v2", "stable": True}
    world.publish(topics.DEPLOYMENTS, said)
    until("its record", lambda: world.evidence.deployment("v2"))


def test_a_secret_that_was_destroyed_is_found_by_a_start(world: World) -> None:
    """The revision starts at first; then it does not, and people and the next plan know it."""
    stable_with_a_secret(world)
    (revision,) = target(world).functions["payOrder"].revisions
    service = world.application.service_of("payOrder")

    until("its start", lambda: starts.not_seen_to_start(target(world)) == {})

    assert starts.proven(target(world)).made > 0
    assert world.application.service_of("payOrder").generation == service.generation
    assert world.application.service_of("payOrder").tried == ()
    shown = run("deployments", "show", "v2").output
    assert f"copies of others were made to start on {STAND}" in shown
    assert "revisions are known to start" in shown
    (found,) = [one for one in value("doctor")["findings"] if one["check"] == "stand"]
    assert (found["what"], found["verdict"]) == (STAND, "well")

    where = f"/v1/projects/{world.policy.project}/secrets/{SECRET}/versions/1:destroy"
    Product(world.cloud, secrets.HOST).done("POST", where, {})
    pass_time(world, timedelta(days=1))
    until("what does not start", lambda: _faults(world, revision))

    assert f"Secret {SECRET}/1 is not enabled." in _faults(world, revision)[0]
    kept = str(run("deployments", "show", "v2", "--json").output)
    assert "value-of-a-variable" not in kept
    assert f"revision {revision} did not start" in kept
    assert {*world.evidence.inventory()} == {*world.policy.functions}


def _faults(world: World, revision: str) -> list[str]:
    proof = target(world).restorable
    assert proof is not None
    return [one for one in proof.faults if f"revision {revision} did not start" in one]
