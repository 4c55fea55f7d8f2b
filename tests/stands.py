"""Worlds whose policy has a stand, on which starts are made."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared import handover, topics
from shared.deployment import Deployment, Tried
from shared.documents import decode
from shared.policy import Policy
from shared.stand import Stand
from tests.deployed import recorded
from tests.fakes.hooks import Hook, no_hook
from tests.world import BOOKSHOP, FakePorts, World

NAME = "rollback-starts"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OLD = "payorder-00001"
"""What the target has of `payOrder`."""


def with_stand(policy: Policy = BOOKSHOP) -> Policy:
    """The policy, by which starts are made."""
    return replace(policy, deployments=replace(policy.deployments, starts=NAME))


SHOP = with_stand()


def world_with_stand(
    *idle: str, hook: Hook = no_hook, policy: Policy = SHOP, is_there: bool = True
) -> World:
    """A shop of which nobody asks for these functions, nor ever has."""
    ports = FakePorts(policy, hook)
    ports.stand.is_there = is_there
    for function in idle:
        ports.counts.rates[function] = 0.0
    return World(policy=policy, ports=ports)


def target(world: World) -> Deployment:
    """The deployment that one would go back to at first."""
    return recorded(world)["v1"]


def tried(world: World) -> dict[str, Tried]:
    """What is known of trials of its revisions."""
    proof = target(world).restorable
    assert proof is not None
    return proof.tried


def stand_of(world: World) -> Stand:
    return decode(Stand, world.ports.store.documents["stands/bookshop"])


def sweep(world: World, times: int = 1) -> list[datetime]:
    """The clock's sweeps, each half a minute after the last; when they were."""
    moments = []
    for _ in range(times):
        moments.append(world.ports.clock.now())
        world.publish(topics.CLOCK, b"{}")
        world.settle()
    return moments


def alarms(world: World) -> list[str]:
    """What people were told of the target, or of the stand."""
    keys = (":restorable", ":stand-changed")
    return [str(one) for one in world.ports.sender.sent if any(key in one.key for key in keys)]


def aged(world: World, function: str = "payOrder") -> None:
    """The day after, in which nobody has asked for that function."""
    world.ports.counts.rates[function] = 0.0
    world.ports.clock.advance(DAY)


def encoded(due: handover.Due) -> bytes:
    """The message that hands a stand over."""
    return msgspec.json.encode(due)
