"""`python -m tests.chaos seeds|pairs|mutants`: the simulation, for as long as one has patience."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable

from tests.simulation import exhaustive, mutants, schedule
from tests.simulation.faults import Fault
from tests.simulation.world import World

SHOWN = 20
"""So many broken worlds are told; their number is told in any case."""


def main() -> int:
    """0 when no law was broken, 1 otherwise."""
    asked = _arguments()
    match asked.what:
        case "seeds":
            named = ((f"seed {seed}", schedule.run(seed)) for seed in _range(asked))
            return _report(named)
        case "pairs":
            return _report(_pairs(asked.first, asked.count))
        case _:
            return _mutants(range(asked.first, asked.first + asked.count))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("what", choices=("seeds", "pairs", "mutants"))
    parser.add_argument("--count", type=int, default=2000, help="seeds, or first faults of pairs")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    return parser.parse_args()


def _range(asked: argparse.Namespace) -> range:
    return range(asked.first, asked.first + asked.count)


def _pairs(first: int, count: int) -> Iterable[tuple[str, World]]:
    """The worlds of every ordered pair of faults, from the n-th first fault on."""
    kinds = frozenset(Fault)
    begins = exhaustive.firsts(exhaustive.path(), kinds=kinds, writes_only=False)
    for one in begins[first : first + count]:
        for two in exhaustive.pairs_after(one, kinds=kinds, writes_only=False):
            yield f"pair {one} {two}", exhaustive.world_with(one, two)


def _report(worlds: Iterable[tuple[str, World]]) -> int:
    """Run the worlds and tell what became of them."""
    began, count, broken = time.monotonic(), 0, 0
    injected: Counter[Fault] = Counter()
    for name, world in worlds:
        count += 1
        injected.update(world.injected)
        if world.laws.broken:
            broken += 1
            if broken <= SHOWN:
                print(f"{name}: {world.laws.broken[0]}")
    seconds = time.monotonic() - began
    print(f"{count} schedules in {seconds:.0f} s, {count / max(seconds, 1e-9):.0f} a second")
    for fault, times in injected.most_common():
        print(f"{times:9}  {fault}")
    print(f"{broken} broken")
    return 1 if broken else 0


def _mutants(seeds: range) -> int:
    """Look for each mutant in these seeds."""
    alive = 0
    for mutant in mutants.MUTANTS:
        found = mutants.caught(mutant, seeds)
        alive += found is None
        said = f"seed {found[0]}: {found[1]}" if found else "NOT CAUGHT"
        print(f"{mutant.__name__:40} {said}", flush=True)
    killed = len(mutants.MUTANTS) - alive
    print(f"{killed} of {len(mutants.MUTANTS)} mutants were caught within {len(seeds)} seeds")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
