from __future__ import annotations

from datetime import timedelta

from shared import incident, rollback
from tests.world import World


def test_a_bad_release_is_rolled_back_verified_watched_and_resolved():
    """One alert about a bad release ends in every function back on its stable revision."""
    world = World()
    stable = world.live
    world.deploy_bad()
    assert world.live != stable

    world.alert()
    world.pass_time(timedelta(minutes=45))

    assert world.live == stable
    [one] = world.rollbacks()
    assert (one.status, one.outcome) == (rollback.Status.SUCCEEDED, "stable through the watch")
    [trouble] = world.incidents()
    assert trouble.status is incident.Status.RESOLVED
    assert world.broken_laws() == []
