from __future__ import annotations

from datetime import timedelta

import pytest

from shared.domain.incidents import incident
from shared.domain.rollback.rollback import LEASE, RollbackStatus, rollback_path
from shared.engine.lease import LIMIT_LATE, LIMIT_TAKEOVERS, LeasedRollback
from tests.support.faults.fault_injection import Crashed, Saboteur, disturbed, quick
from tests.support.runtime.switches import text
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)


class Deadly(Saboteur):
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
            raise Crashed
        if (verb, side) == (self._deadly, "before") and self.deaths < self._most:
            self.deaths += 1
            self._dead = True
            raise Crashed


class Slow(Saboteur):
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
            self.world.ports.clock.advance(LEASE + timedelta(seconds=1))


def after_lateness(verb: str, times: int) -> World:
    """What becomes of a bad release when so many workers in a row are late."""
    slow = Slow(verb, times)
    world = World(slow, quick())
    world.deploy_bad()
    world.alert()
    disturbed(world, slow, 30 * MINUTE, 8 * MINUTE)
    return world


def after_deaths(verb: str, deaths: int) -> World:
    """What becomes of a bad release when so many workers in a row die at that verb."""
    deadly = Deadly(verb, deaths)
    world = World(deadly, quick())
    world.deploy_bad()
    world.alert()
    disturbed(world, deadly, 8 * MINUTE, 8 * MINUTE)
    assert deadly.deaths == deaths
    return world


@pytest.mark.parametrize("verb", ["alerts.is_open", "platform.service"])
def test_whoever_takes_over_from_few_that_died_brings_it_to_its_end(verb: str) -> None:
    """While it is carried out, or watched: so many deaths may be bad luck."""
    world = after_deaths(verb, LIMIT_TAKEOVERS)

    [one] = world.rollbacks()
    assert (one.status, one.takeovers) == (RollbackStatus.SUCCEEDED, 0)
    assert world.broken_laws() == []


@pytest.mark.parametrize("verb", ["alerts.is_open", "platform.service"])
def test_what_kills_every_worker_is_given_up_and_told(verb: str) -> None:
    """After three take-overs without progress nobody dies of it any more; a person is called."""
    world = after_deaths(verb, LIMIT_TAKEOVERS + 1)

    [one] = world.rollbacks()
    assert (one.status, one.due_at) == (RollbackStatus.FAILED, None)
    assert one.outcome == f"{LIMIT_TAKEOVERS} consecutive workers crashed without progress"
    said, *_ = text(world, "rollback.failed")
    assert one.outcome in said
    assert "a person may now retry" in said
    assert world.incidents()[0].status is incident.IncidentStatus.ESCALATED
    assert world.broken_laws() == []


@pytest.mark.parametrize("verb", ["alerts.is_open", "platform.service"])
def test_whoever_is_late_has_not_died(verb: str) -> None:
    """Of workers that outlive their leases more may follow each other than of those that die."""
    world = after_lateness(verb, 2 * LIMIT_TAKEOVERS)

    [one] = world.rollbacks()
    assert (one.status, one.takeovers, one.late) == (RollbackStatus.SUCCEEDED, 0, 0)
    assert world.events(one).count("rollback.worker-late") == 2 * LIMIT_TAKEOVERS
    assert world.broken_laws() == []


def test_what_makes_every_worker_late_is_given_up_and_told() -> None:
    """It ends, even though nobody has died over it."""
    world = after_lateness("platform.service", 1000)

    [one] = world.rollbacks()
    assert (one.status, one.due_at) == (RollbackStatus.FAILED, None)
    assert one.outcome.startswith(f"{LIMIT_LATE} consecutive workers made no progress; ")
    assert world.broken_laws() == []


def test_a_late_worker_of_a_rollback_that_is_gone() -> None:
    """Its time to live was over meanwhile: nothing is left to count."""
    world = after_lateness("platform.service", 0)
    [one] = world.rollbacks()
    ports = world.ports
    version = ports.store.get(rollback_path(one.id)).version
    late = LeasedRollback(
        ports.store, ports.clock, ports.ids, one, version, ports.clock.monotonic()
    )
    ports.store.remove(rollback_path(one.id))

    late.admit_late()

    assert world.rollbacks() == []
