"""Every single fault of a plain world, and ordered pairs of them."""

from collections.abc import Callable, Iterator, Sequence

from shared.engine.lease import DUPLICATE_WINDOW
from tests.simulation.faults.injection import EFFECTS
from tests.simulation.faults.points import POSSIBLE, Fault, Path, Planned, Point
from tests.simulation.scenes.bookshop import Setting
from tests.simulation.schedule import run_planned
from tests.simulation.world import World

Place = tuple[int, Fault]
"""The number of a point on the path, and what goes wrong there."""
Choice = Callable[[Sequence[Point]], Iterator[Place]]
"""Which faults are tried on a path."""
MAKING = ("store.commit", *EFFECTS, "bus.publish", "sender.send")
"""The verbs that make something; all others only look."""
MADE = {f"after {verb}" for verb in MAKING} | {"before hosting.release"}
"""Where something has just been made; a release is on its way once it is sent."""
TURNS = MADE | {f"before {verb}" for verb in (*MAKING, "delivery", "acknowledgement")}
ANSWERS = frozenset({Fault.APPLIED, Fault.DUPLICATE})
COMMANDS = frozenset({Fault.PAUSE, Fault.ORDER})
UNMOVED = ("notices", "clock")
"""Instances that do the same whatever a command says."""


def path(setting: Setting, *faults: Place) -> list[Point]:
    """The points of a plain world with these faults in it, in order."""
    path = Path(dict(faults))
    run_planned(path, setting)
    return path.points


def every(points: Sequence[Point]) -> Iterator[Place]:
    """Every fault that is possible, at every point."""
    for number, point in enumerate(points):
        yield from ((number, fault) for fault in POSSIBLE.get(point.name, ()))


def telling(points: Sequence[Point]) -> Iterator[Place]:
    """Crash, applied-but-error, duplicate and command, wherever they find another world.

    Dead is dead: until something is made by anybody, its message is acknowledged, or time enough
    has passed to tell a copy from a redelivery, it makes no difference where on its way a process
    dies. And on_notice neither reads nor writes what a command does, and on_clock hands on whatever
    is due: one that comes in the middle of their work might as well come beside it.
    """
    made, deaths = 0, dict[str, tuple[int, float]]()
    for number, point in enumerate(points):
        made += point.name in MADE
        possible = POSSIBLE.get(point.name, ()) if point.name in TURNS else ()
        told = ANSWERS if point.instance.startswith(UNMOVED) else ANSWERS | COMMANDS
        if Fault.CRASH in possible:
            known, at = deaths.get(point.instance, (-1, 0.0))
            if known != made or point.seconds - at > DUPLICATE_WINDOW.total_seconds():
                deaths[point.instance] = made, point.seconds
                told |= {Fault.CRASH}
        yield from ((number, fault) for fault in possible if fault in told)
        made += point.name == "before acknowledgement"


def seconds(setting: Setting, first: Place, choice: Choice) -> list[Place]:
    """The faults that are chosen on the path that the first one leads to, after it."""
    return [place for place in choice(path(setting, first)) if place[0] > first[0]]


def world_with(setting: Setting, *faults: Place) -> World:
    """A plain world with these faults in it, after all has happened."""
    return run_planned(Planned(dict(faults)), setting)
