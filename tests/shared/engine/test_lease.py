from datetime import timedelta

import pytest

from shared.domain.rollback.rollback import LEASE_DURATION, RollbackStatus, rollback_path
from shared.engine.lease import MAX_LATE_TAKEOVERS, MAX_TAKEOVERS, LeasedRollback
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    ProcessCrash,
    pass_time_with_fault,
    shorten_watch,
)
from tests.support.runtime.switches import notice_lines
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)


class Deadly(FaultInjectorHook):
    """So many workers die at one verb, one after another; no point is counted."""

    def __init__(self, verb: str, deaths: int) -> None:
        super().__init__()
        self.deaths = 0
        self._deadly = verb
        self._most = deaths

    def __call__(self, verb: str, side: str) -> None:
        if not self.active:
            return
        if self._dead:
            raise ProcessCrash
        if (verb, side) == (self._deadly, "before") and self.deaths < self._most:
            self.deaths += 1
            self._dead = True
            raise ProcessCrash


class Slow(FaultInjectorHook):
    """So many workers outlive their leases at one verb, one after another, and go on."""

    def __init__(self, verb: str, times: int) -> None:
        super().__init__()
        self._verb = verb
        self._left = times
        self._fence = 0

    def __call__(self, verb: str, side: str) -> None:
        if not (self.active and self.world and (verb, side) == (self._verb, "before")):
            return
        [one] = self.world.rollbacks()
        if self._left and one.fence != self._fence:
            self._left, self._fence = self._left - 1, one.fence
            self.world.ports.clock.advance(LEASE_DURATION + timedelta(seconds=1))


def after_lateness(verb: str, times: int) -> World:
    """What becomes of a bad release when so many workers in a row are late."""
    slow = Slow(verb, times)
    world = World(slow, shorten_watch())
    world.deploy_bad()
    world.alert()
    pass_time_with_fault(world, slow, 30 * MINUTE, 8 * MINUTE)
    return world


def after_deaths(verb: str, deaths: int) -> World:
    """What becomes of a bad release when so many workers in a row die at that verb."""
    deadly = Deadly(verb, deaths)
    world = World(deadly, shorten_watch())
    world.deploy_bad()
    world.alert()
    pass_time_with_fault(world, deadly, 8 * MINUTE, 8 * MINUTE)
    assert deadly.deaths == deaths
    return world


@pytest.mark.parametrize("verb", ["alerts.is_open", "platform.service"])
def test_whoever_takes_over_from_few_that_died_brings_it_to_its_end(verb: str) -> None:
    """While it is carried out, or watched: so many deaths may be bad luck."""
    world = after_deaths(verb, MAX_TAKEOVERS)

    rollback = world.rollback
    assert (rollback.status, rollback.takeovers) == (RollbackStatus.SUCCEEDED, 0)
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize(("verb", "before"), [("alerts.is_open", 2), ("platform.service", 1)])
def test_what_kills_every_worker_is_given_up_and_told(verb: str, before: int) -> None:
    """After three take-overs without progress nobody dies of it any more; a person is called.

    The first worker of all dies so soon that its successor is taken for a copy of the message.
    """
    world = after_deaths(verb, before + MAX_TAKEOVERS)

    rollback = world.rollback
    assert (rollback.status, rollback.due_at) == (RollbackStatus.FAILED, None)
    assert rollback.outcome == f"{MAX_TAKEOVERS} consecutive workers crashed without progress"
    said, *_ = notice_lines(world, "rollback.failed")
    assert rollback.outcome in said
    assert "a person may now retry" in said
    assert world.incident.is_decided_by_person
    assert world.find_violated_invariants() == []


@pytest.mark.parametrize("verb", ["alerts.is_open", "platform.service"])
def test_whoever_is_late_has_not_died(verb: str) -> None:
    """Of workers that outlive their leases more may follow each other than of those that die."""
    world = after_lateness(verb, 2 * MAX_TAKEOVERS)

    rollback = world.rollback
    assert (rollback.status, rollback.takeovers, rollback.late) == (RollbackStatus.SUCCEEDED, 0, 0)
    assert world.events(rollback).count("rollback.worker-late") == 2 * MAX_TAKEOVERS
    assert world.find_violated_invariants() == []


def test_what_makes_every_worker_late_is_given_up_and_told() -> None:
    """It ends, even though nobody has died over it."""
    world = after_lateness("platform.service", 1000)

    rollback = world.rollback
    assert (rollback.status, rollback.due_at) == (RollbackStatus.FAILED, None)
    assert rollback.outcome.startswith(f"{MAX_LATE_TAKEOVERS} consecutive workers made no progress; ")
    assert world.find_violated_invariants() == []


def test_a_late_worker_of_a_rollback_that_is_gone() -> None:
    """Its time to live was over meanwhile: nothing is left to count."""
    world = after_lateness("platform.service", 0)
    rollback = world.rollback
    ports = world.ports
    version = ports.store.get(rollback_path(rollback.id)).version
    late = LeasedRollback(ports.store, ports.clock, ports.ids, rollback, version, ports.clock.monotonic())
    ports.store.remove(rollback_path(rollback.id))

    late.record_late_worker()

    assert world.rollbacks() == []
