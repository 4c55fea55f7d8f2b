"""From a seed to a world that has lived: what happens in it, and what goes wrong."""

from random import Random

from shared.domain.policy.system_policy import Policy
from tests.simulation.faults.points import Chance, Fault, Faults
from tests.simulation.runtime.work import simulated
from tests.simulation.scenes.bookshop import POLICY, SPEAKING, Setting, kept
from tests.simulation.scenes.scenes import SCENES, Weighted, bad_release
from tests.simulation.scenes.spoken import SPOKEN, UNREPORTED
from tests.simulation.world import World

PERSONS = frozenset(
    {*(Fault.PAUSE, Fault.ORDER, Fault.ANSWER), *(Fault.BY_HAND, Fault.POLICY, Fault.ROLL_OUT)}
)


EVERY_SPOKEN = 4
"""Of so many seeds, one is played by the policy in which much is said."""
EVERY_UNREPORTED, FIRST_UNREPORTED = 16, 5
"""And by it one of so many, counted from that one, in which checks alone observe what fails."""


def scenes_of(seed: int) -> Weighted:
    """The scenes of a seed: every fourth is played by the policy in which much is said."""
    if seed % EVERY_UNREPORTED == FIRST_UNREPORTED:
        return UNREPORTED
    return SPOKEN if seed % EVERY_SPOKEN == EVERY_SPOKEN - 1 else SCENES


def world_of(
    seed: int, chosen: Weighted | None = None, policy: Policy | None = None, *, judged: bool = True
) -> World:
    """The world of a seed, before anything happens in it; `judged`: its statements as well."""
    chosen, random = scenes_of(seed) if chosen is None else chosen, Random(seed)
    kinds = frozenset(Fault)
    if random.random() < 0.5:
        kinds -= PERSONS
    faults = Chance(random, random.choice((0, 1, 2, 3, 5, 8)), kinds)
    site = random.random() < 0.6
    known = policy or (SPEAKING if chosen in (SPOKEN, UNREPORTED) else POLICY)
    world = World(faults, random, site=site, policy=known, judges_statements=judged)
    world.skews = random.random() < 0.2
    scenes, weights = zip(*chosen, strict=True)
    [scene] = random.choices(scenes, weights)
    world.note(f"scene {scene.__name__}")
    scene(world)
    return world


def run(
    seed: int, chosen: Weighted | None = None, policy: Policy | None = None, *, judged: bool = True
) -> World:
    """The world of a seed, after all has happened; `judged`: its statements as well."""
    world = world_of(seed, chosen, policy, judged=judged)
    with simulated(world.scheduler, site=world.with_site):
        world.run()
    return world


def run_planned(faults: Faults, setting: Setting) -> World:
    """A plain world, with these faults in it."""
    world = World(faults, Random(0), site=True, policy=setting.policy)
    world.store.commit(kept(world.recorded))
    if setting.rebuilt:
        world.platform.lose_image(setting.rebuilt)
    bad_release(world)
    with simulated(
        world.scheduler, site=True, template=setting.template, reported_after=setting.reported_after
    ):
        world.run()
    return world
