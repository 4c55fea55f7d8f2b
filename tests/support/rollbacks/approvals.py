"""Worlds in which a person is asked, or has something to say."""

from datetime import timedelta
from typing import Any

from shared.core.store import Create
from shared.domain.deployments import deployment as deployments
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
GOOD = deployments.deployment_path("bookshop", "v1")


def publish_command(world: World, verb: str, **content: Any) -> str:
    """Say something about the newest incident; why it was refused, or ""."""
    before = len(read_dead_letters(world))
    about = {"system": "bookshop", "incident": world.incidents()[-1].id}
    world.command(command=verb, **{**about, **content})
    world.settle()
    refused = [one["reason"] for one in read_dead_letters(world)[before:]]
    return str(refused[0]) if refused else ""


def order_to_expiring_deployment(world: World, **content: Any) -> None:
    """A rollback is ordered to a deployment whose record is gone before anybody decides."""
    store, place = world.ports.store, deployments.deployment_path("bookshop", "v999")
    store.commit([Create(place, {**store.documents[GOOD], "id": "v999"})])
    world.command(command="rollback", system="bookshop", target="v999", **content)
    world.deliver_commands()
    store.remove(place)


def build_world_awaiting_approval(policy: Policy = BOOKSHOP) -> World:
    """A bad release, and the question whether it may go back."""
    world = World(policy=policy)
    world.command(command="promote", system="bookshop", mode="ask")
    world.settle()
    world.deploy_bad()
    world.alert()
    world.settle()
    assert world.newest_rollback.status is RollbackStatus.PARKED
    return world


def find_notice(world: World, event: str) -> dict[str, Any]:
    [sent] = [one for one in world.ports.sender.sent if f":{event}:record" in one.key]
    return dict(sent.notice)


def build_failed_rollback() -> World:
    """A rollback that could not do all of it, because a person was there."""
    world = World()
    world.deploy_bad()
    changed: list[bool] = []

    def somebody(verb: str, side: str) -> None:
        if (verb, side) == ("platform.dry_run", "before") and not changed:
            changed.append(True)
            world.ports.world.deploy(["searchBooks"], failure_rate=0.0)

    world.ports.world.hook = somebody
    world.alert()
    world.pass_time(HOUR)
    assert world.newest_rollback.status is RollbackStatus.FAILED
    return world


def build_rollback_being_cancelled() -> World:
    """A rollback that was asked to stop after its first shift, before its worker goes on."""
    world = World()
    world.deploy_bad()
    said: list[str] = []

    def cancel_meanwhile(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after") and not said:
            said.append("cancel")
            about = {"system": "bookshop", "incident": world.incidents()[-1].id}
            world.command(command="cancel", actor="alice", **about)
            world.deliver_newest()

    world.ports.world.hook = cancel_meanwhile
    world.alert()
    world.settle()
    return world
