"""What must hold of pins and undone rollbacks, judged by what the platform itself was asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared.domain.deployments.inventory.traffic import Scaling, Traffic, requested_shares
from shared.domain.rollback import pins
from shared.domain.rollback.rollback import Direction
from tests.simulation.scenes.bookshop import SYSTEM

if TYPE_CHECKING:
    from tests.simulation.world import World

Fields = dict[str, Any]
NEVER_SENT = ("PENDING", "SKIPPED", "UNNEEDED")


class PinLaws:
    """Watches one world: what each incident's first shift of a function found, and what is held."""

    def __init__(self, world: World, broken: Callable[[int, str], None]) -> None:
        self._world = world
        self._break = broken
        self._found: dict[tuple[str, str], tuple[Traffic, Scaling]] = {}

    def shifted(self, incident: str, function: str) -> None:
        """A shift is about to take effect: its incident's first one sees what was there before."""
        service = self._world.platform.services()[function]
        self._found.setdefault((incident, function), (service.traffic, service.scaling))

    def ended(self, rollback: Fields, steps: Mapping[str, Fields], by_hand: Collection[str]) -> None:
        """A rollback has succeeded: an undo has put back what was found, to the last instance."""
        if (rollback["order"] or {}).get("way") != Direction.UNDO:
            return
        for function in _done(steps):
            found = self._found.pop((rollback["incident"], function), None)
            service = self._world.platform.services()[function]
            now = service.traffic, service.scaling
            if now != found and function not in by_hand:
                self._break(3, f"{function} is called undone and asks for {now}, found was {found}")

    def at_the_end(self, rollbacks: Mapping[str, Mapping[str, Fields]], by_hand: set[str]) -> None:
        """Whatever ours was the last to lead anywhere is pinned just where it was led by name."""
        for function, service in self._world.platform.services().items():
            if function in by_hand:
                continue
            wanted = self._led(function, rollbacks.values())
            if wanted is None:
                continue
            pin = self._world.store.peek(pins.pin_path(SYSTEM, function)) or {}
            holds = bool(pin) and pin["ended_at"] is None
            asked = requested_shares(service.traffic)
            if holds != ("" not in asked):
                self._break(5, f"{function} asks for {asked}, and its pin is {pin or 'not kept'}")
            elif holds and _shares(pin["held"]) != asked:
                self._break(5, f"{function} asks for {asked}, and its pin holds {pin['held']}")

    @staticmethod
    def _led(function: str, rollbacks: Collection[Mapping[str, Fields]]) -> Fields | None:
        """What last led a function anywhere; None where that is nothing, or is not surely done."""
        every = [
            step
            for steps in rollbacks
            for step in steps.values()
            if step["kind"] in ("shift", "serve")
            and step["target"] == function
            and step["status"] not in NEVER_SENT
        ]
        if not every or any(step["ended_at"] is None for step in every):
            return None
        last = max(every, key=lambda step: step["ended_at"])
        sure = last["kind"] == "serve" or all(step["status"] == "DONE" for step in every)
        return last if sure and last["status"] == "DONE" else None


def _done(steps: Mapping[str, Fields]) -> Iterator[str]:
    for step in steps.values():
        if step["kind"] == "shift" and step["status"] == "DONE":
            yield step["target"]


def _shares(traffic: list[Fields]) -> dict[str, int]:
    return {one["revision"]: one["percent"] for one in traffic if one["percent"]}
