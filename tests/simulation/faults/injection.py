"""What goes wrong in a world: the faults that are drawn for it, brought about where they fall."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.core.errors import Ambiguous, Exists, Moved, Throttled, Unavailable
from tests.simulation.faults.points import Fault, Faults, LandsLate
from tests.simulation.scenes.bookshop import SYSTEM

if TYPE_CHECKING:
    from tests.simulation.world import World

EFFECTS = ("platform.shift", "builder.build", "hosting.release", "remote_config.publish")
CLIENT_TIMEOUT_SECONDS = 10.0
ANSWERS = ("cancel", "cancel", "reject", "approve", "retry", "accept")
"""What people say at that very moment."""
STANDSTILLS_SECONDS = (5.0, 15.0, 45.0, 100.0, 200.0)
LATE_SECONDS = (31.0, 150.0)
"""So long, about, a slow worker stands still: longer than its lease."""


class Mishaps:
    """The faults of one world."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._scheduler = world.scheduler
        self._faults = faults
        self._draw = world.random.random
        self.injected: Counter[Fault] = Counter()
        self.slow = 0
        """So many workers to come are late: each stands still once it has claimed."""
        self._meanwhile = {
            Fault.ROLL_OUT: world.others.roll_out,
            Fault.HINT: world.others.hint,
            Fault.POLICY: world.others.change_policy,
        }
        """What others do at that moment, and the caller does not notice."""
        self._by_hand = {
            "remote_config": world.others.publish_by_hand,
            "hosting": world.others.release_another_by_hand,
            "builder": world.others.deploy_by_hand,
        }
        """And what people do to what is just being asked for."""

    def hook(self, verb: str, side: str) -> None:
        """Called before and after each verb of a fake: the moment at which it may go wrong."""
        world, scheduler = self._world, self._scheduler
        if scheduler.current is None or not world.started:
            return
        if side == "before":
            scheduler.sleep(0.005 + 0.02 * self._draw())
        elif self.slow and world.laws.seen.has_just_claimed():
            self.slow -= 1
            late = world.random.uniform(*LATE_SECONDS)
            scheduler.stand_still(scheduler.current.instance, late)
            scheduler.sleep(0.0)
        if self._faults.is_spent:
            return
        fault = self.fault_at(f"{side} {verb}")
        if fault is not None:
            self.inject(fault, verb)

    def fault_at(self, point: str) -> Fault | None:
        """What goes wrong at this point, counted and noted."""
        world = self._world
        if not world.started or self._faults.is_spent:
            return None
        scheduler = world.scheduler
        task = scheduler.current
        fault = self._faults.at(point, task.instance.name if task else "", scheduler.now)
        if fault is not None:
            self.injected[fault] += 1
            self._world.note(f"FAULT {fault} {point}")
        return fault

    def inject(self, fault: Fault, verb: str) -> None:
        """Let it go wrong, here and now. Raises: what the caller is to see."""
        world = self._world
        task = world.scheduler.current
        if task is None:
            raise AssertionError("the world itself does not fail")
        instance = task.instance
        match fault:
            case Fault.CRASH:
                world.scheduler.kill(instance)
                world.scheduler.sleep(0.0)
            case Fault.STANDSTILL:
                world.scheduler.stand_still(instance, world.random.choice(STANDSTILLS_SECONDS))
                world.scheduler.sleep(0.0)
            case Fault.CLOCK_JUMP:
                instance.skew_seconds = world.random.uniform(-300.0, 300.0)
                world.skews = True
            case Fault.PAUSE:
                world.others.pause_for(world.random.uniform(5.0, 90.0))
                world.scheduler.sleep(0.3)
            case Fault.ORDER:
                world.others.command("rollback", system=SYSTEM)
                world.scheduler.sleep(0.5)
            case Fault.ANSWER:
                world.others.answer(world.random.choice(ANSWERS))
                world.scheduler.sleep(0.5)
            case Fault.BY_HAND:
                self._by_hand.get(verb.partition(".")[0], world.others.change_by_hand)()
            case _ if fault in self._meanwhile:
                self._meanwhile[fault]()
            case _:
                self._answer_badly(fault, verb)

    def _answer_badly(self, fault: Fault, verb: str) -> None:
        writes = verb in ("store.commit", *EFFECTS)
        match fault:
            case Fault.NO_ANSWER | Fault.APPLIED:
                raise Ambiguous(f"{verb}: {fault}") if writes else Unavailable(f"{verb}: {fault}")
            case Fault.OWN_RETRY:
                raise Exists(verb) if self._world.random.random() < 0.7 else Moved(verb)
            case Fault.THROTTLED:
                raise Throttled(verb, timedelta(seconds=self._world.random.choice((1, 5, 20))))
            case Fault.LANDS_LATE:
                raise LandsLate
            case Fault.FAILS_LATE | Fault.VANISHES:
                self._world.platform.next_fails = fault

    def give_up_waiting(self) -> None:
        """The caller of a request that lands late waits for its time-out, or dies of waiting."""
        task = self._world.scheduler.current
        if task is not None and self._world.random.random() < 0.4:
            self._world.scheduler.kill(task.instance)
        self._world.scheduler.sleep(CLIENT_TIMEOUT_SECONDS * self._world.random.random())
