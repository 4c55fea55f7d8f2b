"""Users with devices, whom a notice is to reach."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.notices.push_progress import MAX_DEVICES_PER_BATCH
from shared.domain.policy.channels import Addressees, Audience, Channel, ChannelKind
from shared.domain.policy.system_policy import Policy
from tests.support.decision.outages import make_function_fail
from tests.support.notices.notices import read_notices as kept
from tests.support.runtime.world import BOOKSHOP, World

INCIDENT = "INC-20260302-001"
NOTICE = f"{INCIDENT}:detected:devices"
TEAM = f"{INCIDENT}:short.detected.devices:record"
DATABASE = BOOKSHOP.integrity.database
MANY = 2 * MAX_DEVICES_PER_BATCH + MAX_DEVICES_PER_BATCH // 2


def build_policy_with_devices(at_most: int = 1000, **where: Any) -> Policy:
    """A policy whose users, those whose fields are so, hear on their devices."""
    users = Addressees("users", "devices", at_most, where)
    devices = Channel("devices", ChannelKind.PUSH, audience=Audience.USERS, users=users)
    channels = (BOOKSHOP.channels[0], devices)
    return replace(BOOKSHOP, channels=channels, contacts=(), on_call=(), probes=())


def user_name(number: int) -> str:
    return f"ada-{number:04}"


def device_token(number: int) -> str:
    return f"hush-{number:04}"


def build_world_with_users(count: int, policy: Policy | None = None) -> World:
    """So many users, each with a device."""
    world = World(policy=policy or build_policy_with_devices())
    for number in range(count):
        fields = {"devices": [device_token(number)], "news": number % 2 == 0, "owner": user_name(number)}
        world.ports.kept.write(DATABASE, {f"users/{user_name(number)}": fields})
    world.ports.clock.advance(timedelta(minutes=10))  # requests are counted from the last release on
    world.ports.alerts.open["0.abc"] = True
    for function in world.policy.functions:  # a second source: users are told of no false alarm
        make_function_fail(world, function)
    world.alert()
    return world


def push_progress(world: World) -> Any:
    return kept(world)[NOTICE]["spread"]
