"""What can go wrong at which point, and who decides that it does."""

from collections.abc import Mapping
from enum import StrEnum
from random import Random
from typing import NamedTuple, Protocol


class LandsLate(Exception):
    """The hook's word for a request that is to take effect behind its caller's back."""


class Fault(StrEnum):
    """One thing that goes wrong."""

    CRASH = "crash"
    STANDSTILL = "standstill"
    """The process stops for several leases and then goes on: a zombie."""
    NO_ANSWER = "no answer"
    """Nothing was done, nothing is known; of a write the caller cannot tell."""
    APPLIED = "applied, but error"
    OWN_RETRY = "applied, and refused to the client's own retry"
    THROTTLED = "throttled"
    LANDS_LATE = "lands late"
    """The caller gives up, or dies, and the request takes effect afterwards."""
    FAILS_LATE = "operation fails late"
    VANISHES = "operation vanishes"
    DUPLICATE = "duplicate"
    CROWD = "to fifty instances at once"
    LATE = "late"
    LOST_ACK = "acknowledgement lost"
    CLOCK_JUMP = "clock jump"
    PAUSE = "a person pauses"
    ORDER = "a person orders a rollback"
    ANSWER = "a person answers"
    BY_HAND = "a person changes traffic"
    POLICY = "the policy changes"
    ROLL_OUT = "a release goes on"
    HINT = "a hint comes"


EVERYWHERE = (*(Fault.CRASH, Fault.STANDSTILL, Fault.CLOCK_JUMP), *(Fault.PAUSE, Fault.ORDER, Fault.ANSWER))
BEFORE_WRITE = (*EVERYWHERE, Fault.NO_ANSWER, Fault.THROTTLED)
POSSIBLE: dict[str, tuple[Fault, ...]] = {
    "before store.get": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER, Fault.PAUSE),
    "before store.query": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER, Fault.ORDER),
    "before store.commit": (*BEFORE_WRITE, Fault.POLICY, Fault.BY_HAND, Fault.HINT),
    "after store.commit": (*EVERYWHERE, Fault.APPLIED, Fault.OWN_RETRY, Fault.ROLL_OUT),
    "before platform.shift": (
        *BEFORE_WRITE,
        *(Fault.LANDS_LATE, Fault.FAILS_LATE, Fault.VANISHES, Fault.BY_HAND),
    ),
    "after platform.shift": (*EVERYWHERE, *(Fault.APPLIED, Fault.BY_HAND, Fault.ROLL_OUT, Fault.HINT)),
    "before platform.dry_run": (Fault.CRASH, Fault.NO_ANSWER, Fault.THROTTLED, Fault.BY_HAND),
    "before platform.service": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER, Fault.BY_HAND),
    "before platform.operation": (Fault.CRASH, Fault.NO_ANSWER),
    "before platform.revision": (Fault.CRASH, Fault.NO_ANSWER),
    "before platform.inventory": (Fault.CRASH, Fault.NO_ANSWER, Fault.BY_HAND, Fault.ROLL_OUT),
    "before platform.functions": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER, Fault.BY_HAND),
    "before builder.build": (
        *(Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER, Fault.THROTTLED),
        *(Fault.LANDS_LATE, Fault.FAILS_LATE),
    ),
    "after builder.build": (*EVERYWHERE, Fault.APPLIED),
    "before builder.found": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER, Fault.BY_HAND),
    "before builder.operation": (Fault.CRASH, Fault.NO_ANSWER),
    "before hosting.release": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER, Fault.LANDS_LATE),
    "after hosting.release": (*EVERYWHERE, Fault.APPLIED),
    "before hosting.site": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER, Fault.BY_HAND),
    "before hosting.version": (Fault.CRASH, Fault.NO_ANSWER),
    "before remote_config.template": (Fault.CRASH, Fault.NO_ANSWER, Fault.BY_HAND),
    "before remote_config.validate": (Fault.CRASH, Fault.NO_ANSWER, Fault.BY_HAND),
    "before remote_config.publish": (*BEFORE_WRITE, Fault.BY_HAND),
    "after remote_config.publish": (*EVERYWHERE, Fault.APPLIED, Fault.BY_HAND),
    "before metrics.requests": (Fault.NO_ANSWER, Fault.STANDSTILL),
    "before prober.ask": (Fault.CRASH, Fault.STANDSTILL),
    "before bus.publish": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER),
    "after bus.publish": (Fault.CRASH, Fault.STANDSTILL, Fault.APPLIED),
    "before sender.send": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER),
    "after sender.send": (Fault.CRASH, Fault.STANDSTILL, Fault.APPLIED),
    "before objects.create": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER),
    "after objects.create": (Fault.CRASH, Fault.APPLIED),
    "before sources.copy": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER),
    "before alerts.is_open": (Fault.CRASH, Fault.STANDSTILL, Fault.NO_ANSWER),
    "before delivery": (Fault.DUPLICATE, Fault.CROWD, Fault.LATE),
    "before acknowledgement": (Fault.CRASH, Fault.LOST_ACK),
}
"""By side and verb."""


LIKELY = 0.2
"""How likely the kind that is wanted comes at the first point where it may, and at each next."""


class Point(NamedTuple):
    """One place of a path where something can go wrong."""

    name: str
    """Side and verb."""
    instance: str
    """Whose; empty for the world itself."""
    seconds: float
    """When, by the world's clock."""


class Faults(Protocol):
    """Decides at each point."""

    is_spent: bool
    """Whether nothing goes wrong any more, and nobody counts the points."""

    def at(self, name: str, instance: str, seconds: float) -> Fault | None:
        """What goes wrong at this point, if anything does; its parts as Point has them."""
        ...


class Planned:
    """The faults at the points that are named by their number, counted from 0."""

    is_spent = False

    def __init__(self, faults: Mapping[int, Fault]) -> None:
        self._faults = faults
        self._passed = 0

    def at(self, name: str, instance: str, seconds: float) -> Fault | None:
        """The fault that was planned for this point, where it is possible."""
        fault = self._faults.get(self._passed)
        self._passed += 1
        return fault if fault and fault in POSSIBLE.get(name, ()) else None


class Path(Planned):
    """The same, and which points those are."""

    def __init__(self, faults: Mapping[int, Fault]) -> None:
        super().__init__(faults)
        self.points: list[Point] = []

    def at(self, name: str, instance: str, seconds: float) -> Fault | None:
        """The same; the point is kept."""
        self.points.append(Point(name, instance, seconds))
        return super().at(name, instance, seconds)


class Chance:
    """Some faults, here and there; never more than a budget of them.

    Half of the worlds want one kind above all, so that what is possible at few points only comes
    as often as what is possible everywhere.
    """

    def __init__(self, random: Random, budget: int, kinds: frozenset[Fault]) -> None:
        self._random = random
        self._budget = budget
        self._kinds = kinds
        self._wanted = random.choice(sorted(kinds)) if random.random() < 0.5 else None
        self._next = 0
        self.is_spent = budget == 0
        self._draw()

    def at(self, name: str, instance: str, seconds: float) -> Fault | None:
        """One of what is possible here, when it is time for the next fault."""
        wanted = self._wanted
        if wanted and wanted in POSSIBLE.get(name, ()) and self._random.random() < LIKELY:
            self._spend()
            self._wanted = None
            return wanted
        if self._next > 0:
            self._next -= 1
            return None
        possible = [fault for fault in POSSIBLE.get(name, ()) if fault in self._kinds]
        if not possible:
            return None
        self._spend()
        self._draw()
        return self._random.choice(possible)

    def _spend(self) -> None:
        self._budget -= 1
        self.is_spent = self._budget == 0

    def _draw(self) -> None:
        self._next = int(self._random.expovariate(1 / 60))
