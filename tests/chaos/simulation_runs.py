"""The simulation on every core: seeds, faults, pairs of faults, mutants."""

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial

from msgspec import Struct, field

from tests.simulation import mutants, schedule
from tests.simulation.faults import exhaustive
from tests.simulation.faults.exhaustive import Place
from tests.simulation.faults.points import Fault
from tests.simulation.scenes.bookshop import LEAST, SMALL, WHOLE, Setting
from tests.simulation.world import World

SEEDS_OF_A_BLOCK = 100
SHOWN = 20
"""So many broken worlds are told; their number is told in any case."""
PROGRESS_SECONDS = 15.0
GARBAGE_OF_A_WORLD = 20_000
"""Objects, about: looked for any sooner, most of what is found is still in use."""
WORLDS: dict[str, Setting] = {"least": LEAST, "small": SMALL}
"""Where pairs are played."""


class Tally(Struct):
    """What became of some worlds."""

    worlds: int = 0
    injected: Counter[Fault] = field(default_factory=Counter)
    broken: list[tuple[str, str]] = []
    """Per broken world, what shows it again, and the first law that it broke."""

    def add(self, again: str, world: World) -> None:
        """Count one more world."""
        self.worlds += 1
        self.injected.update(world.mishaps.injected)
        if world.laws.broken:
            self.broken.append((again, world.laws.broken[0]))


Block = Callable[[], Tally]
"""Some worlds that one process runs."""


def seeds(arguments: Sequence[str]) -> int:
    """0 when no law was broken in any seed, 1 otherwise."""
    parser = _parser("seeds", "worlds drawn from seeds")
    parser.add_argument("--count", type=int, default=2000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--only", type=int, metavar="SEED", help="show the world of one seed")
    asked = parser.parse_args(arguments)
    if asked.only is not None:
        return _show(schedule.run(asked.only))
    end = asked.first + asked.count
    starts = range(asked.first, end, SEEDS_OF_A_BLOCK)
    blocks = [partial(_of_seeds, at, min(at + SEEDS_OF_A_BLOCK, end)) for at in starts]
    return report(_each(blocks, asked.jobs), len(blocks))


def singles(arguments: Sequence[str]) -> int:
    """0 when no law was broken after any single fault of the whole path, 1 otherwise."""
    parser = _parser("singles", "every single fault, at every point of the whole path")
    parser.add_argument("--only", metavar="N:FAULT", help="show the world of this one")
    asked = parser.parse_args(arguments)
    if asked.only is not None:
        return _show(exhaustive.world_with(WHOLE, _place(asked.only)))
    places = list(exhaustive.every(exhaustive.path(WHOLE)))
    starts = range(0, len(places), SEEDS_OF_A_BLOCK)
    blocks = [partial(_of_singles, places[at : at + SEEDS_OF_A_BLOCK]) for at in starts]
    return report(_each(blocks, asked.jobs), len(blocks))


def pairs(arguments: Sequence[str]) -> int:
    """0 when no law was broken after any ordered pair of faults, 1 otherwise."""
    parser = _parser("pairs", "ordered pairs of faults: crash, applied-but-error, duplicate, command")
    parser.add_argument("--every", action="store_true", help="of every kind, at every point")
    parser.add_argument("--world", choices=WORLDS, default="least", help="what goes back in it")
    parser.add_argument("--count", type=int, help="how many first faults; all by default")
    parser.add_argument("--first", type=int, default=0, help="where among them to begin")
    parser.add_argument("--each", type=int, default=1, help="every so manieth of them")
    parser.add_argument("--only", nargs="+", metavar="N:FAULT", help="show the world of these")
    asked = parser.parse_args(arguments)
    if asked.only is not None:
        return _show(exhaustive.world_with(WORLDS[asked.world], *map(_place, asked.only)))
    choice = exhaustive.every if asked.every else exhaustive.telling
    firsts = list(choice(exhaustive.path(WORLDS[asked.world])))
    end = None if asked.count is None else asked.first + asked.count
    chosen = firsts[asked.first : end : asked.each]
    blocks = [partial(_of_first, asked.world, first, choice) for first in chosen]
    print(f"{len(blocks)} of {len(firsts)} first faults", flush=True)
    return report(_each(blocks, asked.jobs), len(blocks))


def mutations(arguments: Sequence[str]) -> int:
    """0 when every mutant was caught, 1 otherwise."""
    parser = _parser("mutants", "the product without one guard, which a broken law must tell")
    parser.add_argument("--count", type=int, default=2000, help="seeds within which it must")
    parser.add_argument("--first", type=int, default=20000, help="where among them to begin")
    asked = parser.parse_args(arguments)
    seeds = range(asked.first, asked.first + asked.count)
    alive = 0
    with ProcessPoolExecutor(asked.jobs, initializer=_prepared) as processes:
        found = processes.map(partial(mutants.caught, seeds=seeds), mutants.MUTANTS)
        for mutant, caught in zip(mutants.MUTANTS, found, strict=True):
            alive += caught is None
            said = f"seed {caught[0]}: {caught[1]}" if caught else "NOT CAUGHT"
            if caught and mutants.is_hidden(mutant, caught[0], asked.first):
                said += f"\n    hides: {mutant.__name__!r}: {caught[0]} belongs to HIDING"
            print(f"{mutant.__name__:40} {said}", flush=True)
    killed = len(mutants.MUTANTS) - alive
    print(f"{killed} of {len(mutants.MUTANTS)} mutants were killed within {asked.count} seeds")
    return 1 if alive else 0


def report(tallies: Iterable[Tally], of: int) -> int:
    """Tell what became of so many blocks of worlds, while they come; 1 when a law was broken."""
    began, told = time.monotonic(), time.monotonic()
    whole = Tally()
    for done, tally in enumerate(tallies, 1):
        for again, law in tally.broken[: max(0, SHOWN - len(whole.broken))]:
            print(f"{law}\n    again: python -m tests.chaos {again}", flush=True)
        whole.worlds += tally.worlds
        whole.injected.update(tally.injected)
        whole.broken += tally.broken
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            print(f"{done / of:6.1%}, {_pace(whole.worlds, told - began)}", flush=True)
    print(_pace(whole.worlds, time.monotonic() - began))
    for fault, times in whole.injected.most_common():
        print(f"{times:9}  {fault}")
    print(f"{len(whole.broken)} broken")
    return 1 if whole.broken else 0


def _parser(name: str, described: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m tests.chaos {name}", description=described)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    return parser


def _place(text: str) -> Place:
    number, _, fault = text.partition(":")
    return int(number), Fault[fault]


def _of_seeds(first: int, end: int) -> Tally:
    tally = Tally()
    for seed in range(first, end):
        tally.add(f"seeds --only {seed}", schedule.run(seed))
    return tally


def _of_singles(places: Sequence[Place]) -> Tally:
    tally = Tally()
    for number, fault in places:
        world = exhaustive.world_with(WHOLE, (number, fault))
        tally.add(f"singles --only {number}:{fault.name}", world)
    return tally


def _of_first(world: str, first: Place, choice: exhaustive.Choice) -> Tally:
    tally, setting = Tally(), WORLDS[world]
    for second in exhaustive.seconds(setting, first, choice):
        named = " ".join(f"{number}:{fault.name}" for number, fault in (first, second))
        again = f"pairs --world {world} --only {named}"
        tally.add(again, exhaustive.world_with(setting, first, second))
    return tally


def _each(blocks: Iterable[Block], jobs: int) -> Iterator[Tally]:
    """The tallies, as they come."""
    with ProcessPoolExecutor(jobs, initializer=_prepared) as processes:
        for ended in as_completed([processes.submit(block) for block in blocks]):
            yield ended.result()


def _prepared() -> None:
    """A process that plays worlds is unheard, and looks for garbage in what worlds leave alone.

    What the product logs in thousands of worlds would bury what they found.
    """
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as long as the process lives
    gc.freeze()
    gc.set_threshold(GARBAGE_OF_A_WORLD)


def _pace(worlds: int, seconds: float) -> str:
    return f"{worlds} schedules in {seconds:.0f} s, {worlds / max(seconds, 1e-9):.0f} a second"


def _show(world: World) -> int:
    """Tell one world's history; 0 when it broke no law, 1 otherwise."""
    print(*world.history, sep="\n")
    print(*(f"✗ {law}" for law in world.laws.broken), sep="\n")
    return 1 if world.laws.broken else 0
