"""From a seed to a world that has lived: what happens in it, and what goes wrong."""

from __future__ import annotations

from random import Random

from tests.simulation.faults import Chance, Fault, Faults
from tests.simulation.scenes import SCENES, bad_release
from tests.simulation.work import simulated
from tests.simulation.world import World

PERSONS = frozenset({Fault.PAUSE, Fault.ORDER, Fault.BY_HAND, Fault.POLICY})


def world_of(seed: int) -> World:
    """The world of a seed, before anything happens in it."""
    random = Random(seed)
    kinds = frozenset(Fault)
    if random.random() < 0.5:
        kinds -= PERSONS
    faults = Chance(random, random.choice((0, 1, 2, 3, 5, 8)), kinds)
    world = World(faults, random, site=random.random() < 0.4)
    world.skews = random.random() < 0.2
    scenes, weights = zip(*SCENES, strict=True)
    [scene] = random.choices(scenes, weights)
    world.note(f"scene {scene.__name__}")
    scene(world)
    return world


def run(seed: int) -> World:
    """The world of a seed, after all has happened."""
    world = world_of(seed)
    with simulated(world.scheduler, site=world.with_site):
        world.run()
    return world


def run_planned(faults: Faults, *, seed: int = 0, site: bool = True) -> World:
    """The plain world, with these faults in it."""
    world = World(faults, Random(seed), site=site)
    bad_release(world)
    with simulated(world.scheduler, site=site):
        world.run()
    return world
