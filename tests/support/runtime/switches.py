"""What people say of the switches, and what they are told of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support.notices.system_events import dead_letters
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SYSTEM = "systems/bookshop"


def say(world: World, verb: str, **content: Any) -> str:
    """Why a command was refused, or ""."""
    before = len(dead_letters(world))
    world.command(command=verb, **content)
    world.settle()
    return str(next((one["reason"] for one in dead_letters(world)[before:]), ""))


def in_the_middle(world: World, verb: str, **content: Any) -> list[int]:
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


def iso(world: World, span: timedelta) -> str:
    return (world.ports.clock.now() + span).isoformat()


def text(world: World, event: str) -> list[str]:
    return [str(one.notice["text"]) for one in world.ports.sender.sent if f":{event}" in one.key]


def escalated() -> World:
    """A bad release that nobody goes back from by machine, because all is frozen."""
    world = World()
    world.deploy_bad()
    say(world, "freeze", until=iso(world, 5 * HOUR))
    world.alert()
    world.pass_time(MINUTE)
    return world
