"""`python -m tests.chaos NAME`: seeds, singles, pairs, mutants, kills, documents or storm."""

import sys
from collections.abc import Callable, Sequence

from tests.chaos import documents, kills, simulation_runs, storm

ATTACKS: dict[str, Callable[[Sequence[str]], int]] = {
    "seeds": simulation_runs.seeds,
    "singles": simulation_runs.singles,
    "pairs": simulation_runs.pairs,
    "mutants": simulation_runs.mutations,
    "kills": kills.main,
    "documents": documents.main,
    "storm": storm.main,
}


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 every law held, 1 one did not, 2 there is no such attack."""
    name, *options = arguments or [""]
    if name not in ATTACKS:
        print(f"usage: python -m tests.chaos {'|'.join(ATTACKS)} [--help]", file=sys.stderr)
        return 2
    return ATTACKS[name](options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
