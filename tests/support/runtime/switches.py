"""What people say of the switches, and what they are told of them."""

from datetime import timedelta
from typing import Any

from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SYSTEM = "systems/bookshop"


def publish_command(world: World, verb: str, **content: Any) -> str:
    """Why a command was refused, or ""."""
    before = len(read_dead_letters(world))
    world.command(command=verb, **content)
    world.settle()
    return str(next((one["reason"] for one in read_dead_letters(world)[before:]), ""))


def publish_after_second_shift(world: World, verb: str, **content: Any) -> list[int]:
    """Say it right after the second shift was sent; how much was in flight then, by its record."""
    seen: list[int] = []

    def interrupt(name: str, side: str) -> None:
        if (name, side) == ("platform.shift", "after") and not seen:
            if len(world.ports.world.applied_shifts) < 2:
                return
            [one] = world.rollbacks()
            seen.append(one.in_flight)
            world.command(command=verb, id="in-the-middle", **content)
            world.deliver_newest()
            world.ports.clock.advance(timedelta(seconds=3))

    world.ports.world.hook = interrupt
    return seen


def iso_time_after(world: World, span: timedelta) -> str:
    return (world.ports.clock.now() + span).isoformat()


def notice_lines(world: World, event: str) -> list[str]:
    return [str(one.notice["text"]) for one in world.ports.sender.sent if f":{event}" in one.key]


def build_frozen_escalation() -> World:
    """A bad release that nobody goes back from by machine, because all is frozen."""
    world = World()
    world.deploy_bad()
    publish_command(world, "freeze", until=iso_time_after(world, 5 * HOUR))
    world.alert()
    world.pass_time(MINUTE)
    return world
