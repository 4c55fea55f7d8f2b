"""What a person says of a deployment."""

from typing import Any

import pytest

from shared.domain.deployments.deployment import DeploymentStatus
from tests.support.notices.system_events import read_dead_letters
from tests.support.rollbacks.deployments import (
    MINUTE,
    deploy_release,
    later_deployments,
    publish_audit_hint,
    read_deployments,
)
from tests.support.runtime.world import World


def mark(world: World, how: str, deployment: str, **more: Any) -> None:
    world.carry_out(how, deployment=deployment, actor="anna", **more)


@pytest.mark.parametrize(
    ("how", "status"), [("mark-stable", DeploymentStatus.STABLE), ("mark-bad", DeploymentStatus.BAD)]
)
def test_a_person_knows_better(how: str, status: DeploymentStatus) -> None:
    """What they say holds at once, with their reason, and is kept for ever."""
    world = World()
    world.announce("v2")
    world.settle()

    mark(world, how, "v2", reason="tried by hand")

    [deployment] = later_deployments(world)
    assert (deployment.status, deployment.expires_at) == (status, None)
    assert deployment.reason.endswith("anna: tried by hand")


def test_what_is_called_stable_is_proven_restorable() -> None:
    """A place to go back to is of use only when one can."""
    world = World()
    world.announce("v2")
    world.settle()
    world.platform.deploy(["getBook"])
    world.platform.delete_revision("getBook", "getbook-00001")

    mark(world, "mark-stable", "v2")
    world.pass_time(MINUTE)

    proof = read_deployments(world)["v2"].restorable
    assert proof is not None
    assert proof.faults == ("getBook: revision getbook-00001 is gone",)


def test_a_barrier_is_set_on_what_was_recorded_before() -> None:
    """The reason is why nobody goes back past it."""
    world = World()
    world.announce("v2")
    world.settle()

    mark(world, "mark-barrier", "v2", reason="payments migrated")

    assert (later_deployments(world)[0].barrier, later_deployments(world)[0].status) == (
        "payments migrated",
        "LIVE",
    )


def test_nothing_is_called_stable_during_an_incident() -> None:
    """Whoever is in trouble looks for blame, and for a way out."""
    world = World()
    world.send_command("promote", mode="ask")
    world.announce("v2")
    world.settle()
    world.deploy_bad()
    world.alert()
    world.settle()

    mark(world, "mark-stable", "v2")

    assert "no deployment becomes stable during INC-" in read_dead_letters(world)[0]["reason"]
    assert read_deployments(world)["v2"].status is DeploymentStatus.LIVE


def test_what_is_rolling_out_or_unknown_is_not_called_stable() -> None:
    """The refusal names what is near."""
    world = World()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.settle()
    [rolling] = later_deployments(world)

    mark(world, "mark-stable", rolling.id)
    mark(world, "mark-bad", "v11")

    reasons = [letter["reason"] for letter in read_dead_letters(world)]
    assert f"{rolling.id} is still rolling out" in reasons[0]
    assert "v11 is not known in bookshop; did you mean v1?" in reasons[1]


def test_a_deployment_that_was_called_bad_while_it_rolled_out_is_over() -> None:
    """The next change is another one."""
    world = World()
    deploy_release(world, "getBook")
    publish_audit_hint(world)
    world.settle()
    mark(world, "mark-bad", later_deployments(world)[0].id)

    deploy_release(world, "payOrder")
    publish_audit_hint(world)
    world.settle()

    assert [(one.status, one.changed_functions) for one in later_deployments(world)] == [
        (DeploymentStatus.BAD, ("getBook",)),
        (DeploymentStatus.ROLLING_OUT, ("payOrder",)),
    ]
