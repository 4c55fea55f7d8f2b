"""A rollback that is over, what it holds on old revisions, and what the record was told."""

from datetime import timedelta

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import pins
from shared.domain.rollback.pins import Pin
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.faults.fault_injection import shorten_watch
from tests.support.runtime.world import BOOKSHOP, World

MINUTE = timedelta(minutes=1)
FOLLOWING = (TrafficTarget(LATEST_REVISION, 100),)


def build_traffic_target(revision: str, percent: int = 100, tag: str = "") -> TrafficTarget:
    return TrafficTarget(revision, percent, tag)


def read_pins(world: World) -> dict[str, Pin]:
    """The pins that hold."""
    found = [decode(Pin, one.fields) for one in world.ports.store.query(Query("pins"))]
    return {pin.function: pin for pin in pins.active_pins(found)}


def recorded_notice_texts(world: World, event: str) -> list[str]:
    """What the record was told of an event, in order."""
    return [str(one.notice["text"]) for one in world.ports.sender.sent if f":{event}:record" in one.key]


def build_rolled_back_world(policy: Policy = BOOKSHOP) -> World:
    """A bad release was taken back by automation, and the watch is over."""
    world = World(policy=shorten_watch(policy))
    world.deploy_bad()
    world.alert()
    world.pass_time(12 * MINUTE)
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED]
    return world
