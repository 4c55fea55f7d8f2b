"""Messages that come again when nobody remembers them any more."""

from datetime import timedelta
from functools import partial

import pytest

from shared.domain.incidents import incident
from tests.simulation.runtime.delivery import Delivery
from tests.simulation.runtime.services import Sent
from tests.simulation.runtime.work import simulated
from tests.simulation.scenes.scenes import SCENES
from tests.simulation.schedule import world_of
from tests.simulation.seed_blocks import split_seeds
from tests.simulation.world import HORIZON_SECONDS, World

SEEDS = 60
LONG = timedelta(days=31)
"""Longer than anything that has ended is kept, and as long as Pub/Sub keeps a message at most
(https://cloud.google.com/pubsub/docs/replay-overview)."""


class Keeping(Delivery):
    """Subscriptions that keep every message, also those that were acknowledged."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.kept: list[Sent] = []

    def route(self, message: Sent) -> None:
        """The same; the message is kept."""
        self.kept.append(message)
        super().route(message)


@pytest.mark.parametrize("seeds", split_seeds(SEEDS, pytest.mark.slice))
def test_what_is_said_again_when_all_of_it_has_expired_moves_nothing(seeds: range) -> None:
    """Alerts, commands, hand-overs and ticks of a trouble that is over: nobody begins again."""
    moved: dict[int, object] = {}
    said_again = 0
    for seed in seeds:
        world = world_of(seed, SCENES)
        world.delivery = keeping = Keeping(world)
        with simulated(world.scheduler, site=world.with_site):
            world.run()
            if not is_over(world):
                continue
            before, said = effects(world), list(keeping.kept)
            forget(world)
            for message in said:
                world.plan(0.0, partial(keeping.route, message))
            world.scheduler.run(world.scheduler.now + HORIZON_SECONDS)
            world.scheduler.abandon()
        said_again += len(said)
        if effects(world) != before or world.laws.broken:
            moved[seed] = (before, effects(world), world.laws.broken)

    assert moved == {}
    assert said_again > len(seeds)


def is_over(world: World) -> bool:
    """Whether all is well again: otherwise what our probes see may begin something new."""
    found = world.store.documents_of("incidents")
    well = all(one["status"] == incident.IncidentStatus.RESOLVED for _, one in found)
    return well and world.stable == {name: world.platform.live(name) for name in world.stable}


def effects(world: World) -> tuple[list[str], list[str], list[str]]:
    """All that was ever done to the application."""
    return (list(world.platform.applied_shifts), list(world.builder.built), list(world.estate.effects))


def forget(world: World) -> None:
    """So much later, whatever was kept for its time is gone."""
    world.scheduler.now += LONG.total_seconds()
    now = world.clock.now()
    for path, fields in world.store.documents.items():
        expires_at = fields.get("expires_at")
        if expires_at is not None and expires_at <= now:
            world.store.remove(path)
