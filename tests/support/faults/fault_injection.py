"""Faults at counted points: before and after each commit and each effect of the whole path."""

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from enum import StrEnum

from msgspec.structs import replace

from shared.core import topics
from shared.core.errors import Ambiguous, Unavailable
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.fakes.pubsub.bus import Published
from tests.support.runtime.world import BOOKSHOP, World

DELIVERY_ATTEMPTS = 100
COUNTED = ("store.commit", "platform.shift")


class InjectedFault(StrEnum):
    """What happens at a point."""

    CRASH = "crash"
    LOST_ANSWER = "lost answer"
    """Applied, and an error returned; before the effect: not applied, and an error returned."""
    ZOMBIE = "zombie"
    """The instance stands still for several leases while others go on, and then goes on itself."""


class ProcessCrash(BaseException):
    """The process is dead: nothing of it runs on."""


def shorten_watch(policy: Policy = BOOKSHOP) -> Policy:
    """The policy with a watch of two minutes, so that a whole path is short.

    In the midst of it the conditions of the alerts must be over.
    """
    execution = replace(
        policy.execution,
        watch=timedelta(minutes=2),
        watch_every=timedelta(seconds=30),
        cleared_within=timedelta(minutes=4),
    )
    return replace(policy, execution=execution)


class FaultInjectorHook:
    """A hook that counts the points and does one thing at one of them."""

    def __init__(
        self,
        point: int | None = None,
        fault: InjectedFault = InjectedFault.CRASH,
        counted: Collection[str] = COUNTED,
    ) -> None:
        self.points: list[str] = []
        self.active = False
        self.happened = False
        self.world: World | None = None
        self._point = point
        self._fault = fault
        self._counted = counted
        self._dead = False

    def __call__(self, verb: str, side: str) -> None:
        if not self.active:
            return
        if self._dead:
            raise ProcessCrash
        if verb not in self._counted:
            return
        self.points.append(f"{side} {verb}")
        if len(self.points) - 1 == self._point:
            self.happened = True
            self._act(verb, side)

    def revive(self) -> None:
        """Start a new process."""
        self._dead = False

    def _act(self, verb: str, side: str) -> None:
        match self._fault:
            case InjectedFault.CRASH:
                self._dead = True
                raise ProcessCrash
            case InjectedFault.LOST_ANSWER:
                raise Ambiguous(f"{verb}: no answer")
            case InjectedFault.ZOMBIE:
                self._others_go_on()

    def _others_go_on(self) -> None:
        if self.world is None:
            raise AssertionError("a saboteur needs its world")
        self.active = False
        instances = self.world.responders
        self.world.start_instances()
        self.world.pass_time(timedelta(minutes=2))
        self.world.responders = instances
        self.active = True


Delivery = Callable[[World, Published], None]


def run_with_fault(
    saboteur: FaultInjectorHook, *, duplicated: bool = False, reversed_order: bool = False
) -> World:
    """The whole path from the alert to the end, with one fault in it."""
    return run_bad_release(World(saboteur, shorten_watch()), saboteur, duplicated, reversed_order)


def run_bad_release(
    world: World, saboteur: FaultInjectorHook, duplicated: bool = False, reversed_order: bool = False
) -> World:
    """The world after a bad release, and all that follows from it."""
    saboteur.world = world
    world.deploy_bad()
    saboteur.active = True
    world.alert()
    until = world.ports.clock.now() + timedelta(minutes=12)
    while world.ports.clock.now() < until:
        deliver_all(world, saboteur, duplicated=duplicated, reversed_order=reversed_order)
        world.publish(topics.CLOCK, b"{}")
    deliver_all(world, saboteur, duplicated=duplicated, reversed_order=reversed_order)
    saboteur.active = False
    return world


def run_approved_alert(world: World, saboteur: FaultInjectorHook, signal: str) -> None:
    """An alert, its question, to which two people agree, and a quarter of an hour after it."""
    saboteur.active, saboteur.world = True, world
    world.alert(signal=signal)
    asked = False
    for _ in range(30):
        deliver_all(world, saboteur)
        newest = world.rollbacks()[-1]
        if newest.status is RollbackStatus.PARKED and not asked:
            asked = True
            for person in ("alice", "bob"):
                said = {"command": "approve", "incident": newest.incident}
                world.command(person, system="bookshop", **said)
        world.publish(topics.CLOCK, b"{}")
        world.ports.clock.advance(timedelta(seconds=30))
    saboteur.active = False


def pass_time(world: World, saboteur: FaultInjectorHook, span: timedelta) -> None:
    """Time passes by the clock's own ticks, whatever dies of them."""
    until = world.ports.clock.now() + span
    while world.ports.clock.now() < until:
        deliver_all(world, saboteur)
        world.publish(topics.CLOCK, b"{}")
    deliver_all(world, saboteur)


def pass_time_with_fault(world: World, saboteur: FaultInjectorHook, span: timedelta, rest: timedelta) -> None:
    """Time passes in which something may go wrong, and then enough to make it good."""
    saboteur.world = world
    saboteur.active = True
    pass_time(world, saboteur, span)
    saboteur.active = False
    pass_time(world, saboteur, rest)


def enumerate_fault_points(
    run: Callable[[FaultInjectorHook], object],
    counted: Collection[str],
    faults: Iterable[InjectedFault] = InjectedFault,
) -> list[tuple[InjectedFault, int]]:
    """Each fault at each point that a run comes by."""
    counting = FaultInjectorHook(counted=counted)
    run(counting)
    return [(fault, point) for fault in faults for point in range(len(counting.points))]


def tick_clock(
    world: World, saboteur: FaultInjectorHook, count: int, apart: timedelta = timedelta(0)
) -> None:
    """What waits arrives, and then the clock ticks; that often, whatever dies of it."""
    for _ in range(count):
        deliver_all(world, saboteur)
        world.publish(topics.CLOCK, b"{}")
        world.ports.clock.advance(apart)


def deliver_all(
    world: World, saboteur: FaultInjectorHook, *, duplicated: bool = False, reversed_order: bool = False
) -> None:
    """Deliver until nothing waits; what died or was not acknowledged is delivered again."""
    for _ in range(1000):
        waiting = world.waiting()
        if not waiting:
            return
        published = waiting[-1 if reversed_order else 0]
        world.ports.bus.messages.remove(published)
        for _ in range(2 if duplicated else 1):
            deliver_until_acknowledged(world, saboteur, published)
    raise Unavailable("messages wait for ever")


def deliver_until_acknowledged(world: World, saboteur: FaultInjectorHook, published: Published) -> None:
    """Deliver one message as Pub/Sub does, up to its dead letter."""
    for _ in range(DELIVERY_ATTEMPTS):
        if is_acknowledged(world, saboteur, published):
            return
        world.ports.clock.advance(timedelta(seconds=1))
    raise Unavailable(f"never acknowledged: {published}")


def is_acknowledged(world: World, saboteur: FaultInjectorHook, published: Published) -> bool:
    """Whether the delivery was acknowledged; a crash is followed by new instances."""
    try:
        return world.deliver(published)
    except ProcessCrash:
        saboteur.revive()
        world.start_instances()
        return False
