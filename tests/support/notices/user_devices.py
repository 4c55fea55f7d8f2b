"""Users with devices, whom a notice is to reach."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from shared.domain.notices.push_progress import BATCH
from shared.domain.policy.channels import Addressees, Audience, Channel, ChannelKind
from shared.domain.policy.model import Policy
from tests.support.notices.notices import notices as kept
from tests.support.runtime.world import BOOKSHOP, World

INCIDENT = "INC-20260302-001"
NOTICE = f"{INCIDENT}:detected:devices"
TEAM = f"{INCIDENT}:short.detected.devices:record"
DATABASE = BOOKSHOP.integrity.database
MANY = 2 * BATCH + BATCH // 2


def asking(at_most: int = 1000, **where: Any) -> Policy:
    """A policy whose users, those whose fields are so, hear on their devices."""
    users = Addressees("users", "devices", at_most, where)
    devices = Channel("devices", ChannelKind.PUSH, audience=Audience.USERS, users=users)
    channels = (BOOKSHOP.channels[0], devices)
    return replace(BOOKSHOP, channels=channels, contacts=(), on_call=(), probes=())


def name(number: int) -> str:
    return f"ada-{number:04}"


def token(number: int) -> str:
    return f"hush-{number:04}"


def world_with(count: int, policy: Policy | None = None) -> World:
    """So many users, each with a device."""
    world = World(policy=policy or asking())
    for number in range(count):
        fields = {"devices": [token(number)], "news": number % 2 == 0, "owner": name(number)}
        world.ports.kept.write(DATABASE, {f"users/{name(number)}": fields})
    world.ports.clock.advance(timedelta(minutes=1))
    world.alert()
    return world


def spread_of(world: World) -> Any:
    return kept(world)[NOTICE]["spread"]
