"""`python -m tests.chaos.decisions`: measure how often automatic rollbacks are right."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from msgspec.structs import replace

from tests.chaos.decisions import figures, rivals
from tests.chaos.decisions.play import DecisionWorld
from tests.chaos.decisions.situations import draw_situation


def judge_seed(seed: int, *, has_second_source: bool = True) -> figures.Judged:
    """Play the world of a seed, and ask the rivals about the same counts."""
    world = DecisionWorld(replace(draw_situation(seed), has_second_source=has_second_source))
    outcome = world.play()
    return figures.Judged(outcome, rivals.decide_by_threshold(world), rivals.decide_by_mann_whitney(world))


def first_seed() -> int:
    """Return the first seed of a run that counts: it comes from the hash of the parent commit."""
    command = ("git", "rev-parse", "--verify", "--quiet", "HEAD^")
    parent = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    return int(parent[:7] or "0", 16) * 10_000


def main(arguments: Sequence[str]) -> int:
    """Print the table, or one world; exit codes: 0 done, 1 the worlds refute an aim."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.decisions", description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="how many worlds (default 5000)")
    parser.add_argument("--first", type=int, help="the first seed; by default from the parent commit")
    parser.add_argument("--only", type=int, metavar="SEED", help="show one world")
    parser.add_argument("--alone", action="store_true", help="want no second source")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args(arguments)
    judge = partial(judge_seed, has_second_source=not options.alone)
    if options.only is not None:
        outcome = judge(options.only).outcome
        print(*figures.describe_world(outcome), sep="\n")
        print(*outcome.reasons, sep="\n")
        return 0
    first = first_seed() if options.first is None else options.first
    with ProcessPoolExecutor(options.jobs) as processes:
        seeds = range(first, first + options.count)
        judged = [*processes.map(judge, seeds, chunksize=20)]
    print(f"{options.count} worlds, seeds {first} to {first + options.count - 1}")
    print(*figures.describe(judged), sep="\n")
    aims = [*figures.describe_aims([world.outcome for world in judged])]
    print(*aims, sep="\n")
    return any(aim.startswith(figures.REFUTED) for aim in aims)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
