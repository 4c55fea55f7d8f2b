"""What must hold of an effect when it is accepted."""

from shared.domain.deployments.inventory.inventory_parts import SourceObject
from shared.domain.deployments.inventory.traffic import Traffic, traffic_shares
from tests.simulation.invariants.observations import TEMPLATE, Fields, Seen
from tests.simulation.invariants.pins import PinLaws
from tests.simulation.scenes.bookshop import SITE


class LandedLaws:
    """It happens once, it may happen at all, and nothing is taken from a person."""

    def __init__(self, seen: Seen, pins: PinLaws) -> None:
        self._seen = seen
        self._world = seen.world
        self._break = seen.broke
        self._pins = pins

    def shift(self, function: str, traffic: Traffic) -> None:
        """A shift of ours was accepted."""
        sender = self._seen.sent_by.get(function)  # its intent may be taken back already
        ordered = sender is not None and self._seen.rollbacks[sender]["order"]
        if self._world.forbidden and not ordered:
            self._break(8, f"{function} is shifted though {self._world.forbidden}")
        if function in self._world.spared and not ordered:
            self._break(8, f"{function} is shifted though its canary is no better")
        wanted = traffic_shares(traffic, "")
        service = self._world.platform.services()[function]
        if (
            not service.fault
            and traffic_shares(service.traffic, "") == wanted
            and (service.pending is None or not service.pending.error)
        ):
            self._break(3, f"{function} is shifted twice")
        planned = [
            self._planned_at(key, step) for key, step in self._seen.intents() if step["target"] == function
        ]
        asked_again = traffic_shares(service.traffic, "") == wanted  # it takes nothing from anybody
        if not asked_again and self._asked_for(function) == traffic_shares(service.traffic, ""):
            asked_again = True  # a person's list that is our own goal is told apart by nobody
        if not asked_again and self._seen.by_hand.get(function, -1.0) > min(planned, default=1e9):
            self._break(3, f"{function} is taken from the person who changed it")
        if sender is not None:
            self._pins.shifted(self._seen.rollbacks[sender]["incident"], function)
        self._world.note(f"shifted {function}")

    def _planned_at(self, key: str, step: Fields) -> float:
        """When a step was planned, as far as what a person did to its target counts.

        An extension takes back what was deployed until then, as it follows the roll-out; where a
        person has led requests it has no part in. What an order adds counts from that order on.
        """
        if step["target"] in self._seen.redeployed or key in self._seen.ordered_more:
            return self._seen.frozen[f"{key}/steps/{step['name']}"]
        return self._seen.frozen[key]

    def _asked_for(self, function: str) -> dict[str, int]:
        """Percent per revision that the plan's own shift of a function asks for."""
        for key, _ in self._seen.intents():
            step = self._seen.steps[key].get(f"shift {function}")
            if step is not None:
                return {one["revision"]: one["percent"] for one in step["goal"]["traffic"]}
        return {}

    def release(self, version: str) -> None:
        """A release of ours takes effect."""
        self._world.note(f"released {version}")
        if self._world.estate.sites[SITE].version == version:
            self._break(3, f"{version} is released twice")

    def build(self, function: str, source: SourceObject) -> None:
        """A build of ours is accepted; where one of its source has succeeded, it is senseless."""
        self._world.note(f"building {function}")
        if self._world.forbidden:
            self._break(8, f"{function} is built though {self._world.forbidden}")
        if not self._world.builder.succeeded(function):
            return
        newest = self._world.platform.services()[function]
        if newest.sources[newest.latest_created] == source:
            self._break(3, f"{function} is built twice")

    def template(self) -> None:
        """A publication of ours takes effect."""
        self._world.note("published a template")
        if TEMPLATE in self._seen.by_hand:  # plans go back from the bad release alone
            self._break(3, "a template is taken from the person who published it")
