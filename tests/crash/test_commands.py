from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

import pytest

from shared.core import topics
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.incidents import incident
from shared.domain.rollback.pins import Pin
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, pass_time, shorten_watch
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
FIRST_POINTS = 14
"""Of what a command sets in motion, its beginning is disturbed here; the rest of a rollback is
disturbed at every point elsewhere."""


POINTS = {"undo": 20, "unpin": 20}
"""Of these, all up to the commit that keeps what became of the pins."""


class Scene(NamedTuple):
    """A world, and what a person says to it."""

    prepare: Callable[[World], None]
    command: str
    said: dict[str, Any]
    rollbacks: tuple[RollbackStatus, ...]
    """What becomes of the rollbacks."""
    incidents: tuple[incident.IncidentStatus, ...]


def trouble(world: World, mode: str = "act") -> None:
    world.command(command="promote", system="bookshop", mode=mode)
    world.settle()
    world.deploy_bad()
    world.alert()
    world.settle()


def parked(world: World) -> None:
    trouble(world, "ask")


def rejected(world: World) -> None:
    parked(world)
    world.command(command="reject", system="bookshop", incident="INC-20260302-001")
    world.pass_time(MINUTE)


def held(world: World) -> None:
    """A rollback in the middle, held by the kill switch."""
    paused: list[bool] = []

    def pause(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "after") and not paused:
            paused.append(True)
            world.command(command="pause")
            world.deliver_newest()
            world.ports.clock.advance(timedelta(seconds=3))

    saboteur, world.ports.world.hook = world.ports.world.hook, pause
    trouble(world)
    world.pass_time(MINUTE)
    world.ports.world.hook = saboteur
    assert world.rollbacks()[0].status is RollbackStatus.RUNNING


def called_off(world: World) -> None:
    """Three functions were led back, and a person has ended the watch."""
    world.deploy_bad(["getBook", "listBooks", "payOrder"])
    world.command(command="rollback", system="bookshop")
    world.settle()
    world.command(command="cancel", **IT)
    world.settle()
    assert world.rollbacks()[0].status is RollbackStatus.CANCELLED


def pinned(world: World) -> None:
    """Three functions are held, and what was deployed behind them is well."""
    called_off(world)
    world.command(command="accept", **IT)
    world.ports.world.deploy(["getBook", "listBooks", "payOrder"])
    world.settle()
    world.ports.clock.advance(2 * MINUTE)


def filed(world: World) -> None:
    """It is over, and its report is filed."""
    rejected(world)
    world.command(command="accept", **IT)
    world.pass_time(6 * MINUTE)
    assert world.ports.store.documents[f"reports/{IT['incident']}"]["written_at"]


def frozen(world: World) -> None:
    until = world.ports.clock.now() + timedelta(days=1)
    world.command(command="freeze", until=until.isoformat())
    trouble(world)


def ill(world: World) -> None:
    world.deploy_bad()


IT: dict[str, Any] = {"system": "bookshop", "incident": "INC-20260302-001"}
FOUND = {**IT, "cause": "a migration", "prevention": "a test of it", "public": "a change"}
OVERRIDE = {**IT, "override": True, "supersede": True}
SUPERSEDE = {"system": "bookshop", "supersede": True}
WINDOW = {"system": "bookshop", "until": "2026-03-09T00:00:00Z"}
DONE, NOT_TAKEN, OFF = RollbackStatus.SUCCEEDED, RollbackStatus.NOT_TAKEN, RollbackStatus.CANCELLED
FAILED = RollbackStatus.FAILED
OVER, OPEN = incident.IncidentStatus.RESOLVED, incident.IncidentStatus.ESCALATED
OBSERVED = incident.IncidentStatus.INVESTIGATING
ACCEPTED = incident.IncidentStatus.RECOVERY_NOT_OBSERVED
SWITCHED = ("rollback.paused", "rollback.resumed", "rollback.frozen", "rollback.unfrozen")
SCENES = {
    "approve": Scene(parked, "approve", IT, (DONE,), (OVER,)),
    "reject": Scene(parked, "reject", IT, (NOT_TAKEN,), (OPEN,)),
    "cancel a question": Scene(parked, "cancel", IT, (OFF,), (OPEN,)),
    "cancel in the middle": Scene(held, "cancel", IT, (OFF,), (OPEN,)),
    "retry": Scene(rejected, "retry", IT, (NOT_TAKEN, DONE), (OVER,)),
    "undo": Scene(called_off, "undo", IT, (OFF, DONE), (OPEN,)),
    "unpin": Scene(pinned, "unpin", {"system": "bookshop"}, (OFF, DONE), (OVER, OVER)),
    "accept": Scene(rejected, "accept", IT, (NOT_TAKEN,), (ACCEPTED,)),
    "ack": Scene(parked, "ack", IT, (NOT_TAKEN,), (OPEN,)),
    "publish": Scene(parked, "publish", IT, (NOT_TAKEN,), (OPEN,)),
    "root-cause": Scene(filed, "root-cause", FOUND, (NOT_TAKEN,), (ACCEPTED,)),
    "pause": Scene(parked, "pause", {}, (NOT_TAKEN,), (OPEN,)),
    "resume": Scene(held, "resume", {}, (DONE,), (OVER,)),
    "freeze": Scene(ill, "freeze", WINDOW, (), ()),
    "unfreeze": Scene(frozen, "unfreeze", {}, (DONE,), (OVER,)),
    "override": Scene(frozen, "rollback", OVERRIDE, (OFF, DONE), (OVER, OVER)),
    "dry run": Scene(ill, "rollback", {"system": "bookshop", "dry_run": True}, (), ()),
    "drill": Scene(ill, "drill", {"system": "bookshop", "scenario": "complete"}, (), ()),
    "join": Scene(held, "rollback", {"system": "bookshop"}, (FAILED,), (OPEN,)),
    "supersede": Scene(parked, "rollback", SUPERSEDE, (OFF, DONE), (OVER, OVER)),
}


def run(scene: Scene, saboteur: FaultInjectorHook) -> World:
    """The world after the command and all that it sets in motion, with one fault in it."""
    world = World(saboteur, shorten_watch())
    saboteur.world = world
    scene.prepare(world)
    saboteur.active = True
    world.command(command=scene.command, id="mine", actor="alice", **scene.said)
    pass_time(world, saboteur, 40 * MINUTE)
    saboteur.active = False
    return world


def told(world: World) -> set[str]:
    """What was said, but to whom it was said when: a held rollback says so at its own time."""
    keys = {one.key for one in world.ports.sender.sent}
    own_time = (":rollback.held", ":rollback.goes-on", ":on-call")
    return {key for key in keys if not any(name in key for name in own_time)}


def pins(world: World) -> set[tuple[str, str, str]]:
    """Each function that is or was held: by which rollback, and which one ended that."""
    found = [decode(Pin, one.fields) for one in world.ports.store.query(Query("pins"))]
    return {(one.function, one.rollback, one.ended_by) for one in found}


def drilled(world: World) -> list[bool]:
    """Whether each drill on record agrees."""
    return [one.fields["agrees"] for one in world.ports.store.query(Query("drills")) if one.fields]


def switched(world: World) -> list[list[str]]:
    """What each rollback's own trail tells of the switches, in order."""
    return [[name for name in world.events(one) if name in SWITCHED] for one in world.rollbacks()]


@cache
def run_undisturbed(name: str) -> World:
    """Return the world in which nothing goes wrong."""
    return run(SCENES[name], FaultInjectorHook())


class AllCounted(BaseException):
    """The points that are disturbed are counted: the rest of the run is not needed."""


class PointCounter(FaultInjectorHook):
    """A hook that ends the run after so many points."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __call__(self, verb: str, side: str) -> None:
        super().__call__(verb, side)
        if len(self.points) == self._limit:
            raise AllCounted


def count_points(name: str) -> int:
    """Return how many points of a scene are disturbed."""
    counter = PointCounter(POINTS.get(name, FIRST_POINTS))
    with suppress(AllCounted):
        run(SCENES[name], counter)
    return len(counter.points)


def points() -> list[tuple[str, InjectedFault, int]]:
    found = []
    for name in SCENES:
        for point in range(count_points(name)):
            found += [(name, fault, point) for fault in (InjectedFault.CRASH, InjectedFault.LOST_ANSWER)]
    return found


@pytest.mark.parametrize("name", SCENES)
def test_a_command_does_what_it_is_for(name: str) -> None:
    """What each scene ends in when nothing goes wrong."""
    world, scene = run_undisturbed(name), SCENES[name]

    assert tuple(one.status for one in world.rollbacks()) == scene.rollbacks
    assert tuple(one.status for one in world.incidents()) == scene.incidents
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize(("name", "fault", "point"), points())
def test_a_fault_anywhere_in_a_command_changes_nothing_of_the_end(
    name: str, fault: InjectedFault, point: int
) -> None:
    """Whatever happens while it is carried out, a redelivery ends in the same world."""
    saboteur = FaultInjectorHook(point, fault)

    world = run(SCENES[name], saboteur)

    same = run_undisturbed(name)
    assert saboteur.happened
    assert world.live == same.live
    assert pins(world) == pins(same)
    assert drilled(world) == drilled(same) == [True] * (name == "drill")
    assert [one.status for one in world.rollbacks()] == [one.status for one in same.rollbacks()]
    assert [one.status for one in world.incidents()] == [one.status for one in same.incidents()]
    assert "commands/mine" in world.ports.store.documents
    assert [one for one in world.ports.bus.messages if one.topic == topics.DEAD_LETTERS] == []
    assert told(world) == told(same)
    assert switched(world) == switched(same)
    assert world.find_violated_invariants() == []
