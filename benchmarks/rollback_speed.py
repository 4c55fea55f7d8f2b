"""Very many functions rolled back, beside the bound that the write quota sets, in virtual time.

The production responders over fakes (tests/support/rollbacks/large_rollback.py): a call takes 0.2
s, a commit 0.1 s, one call of twenty is answered 429 or 503, and each worker hands over after two
minutes. What is asked of the cells of the declared quota: 0.93 of the bound, nothing undone, 1 % of
the writes refused by quota. The other shapes show what is paid for learning them. `make slice`
plays it: nothing of it is the machine's time.
"""

from collections.abc import Callable, Iterator
from math import log
from typing import NamedTuple

from shared.domain.policy.execution_limits import WriteQuota
from tests.support.rollbacks.large_rollback import (
    QUOTA,
    BucketLimit,
    LargeRollback,
    LargeRollbackResult,
    MinuteLimit,
    QuotaLimit,
    Took,
)

RATIO = 0.93
REFUSED = 0.01
SIZES = (127, 1000)
TOOK: dict[str, Took] = {
    "8 s": lambda random: 8.0,
    "log-normal": lambda random: random.lognormvariate(log(8.0), 0.5),
    "90 s": lambda random: 90.0,
}
OTHER_SHAPES: dict[str, Callable[[float], QuotaLimit]] = {
    "fixed minutes": lambda now: MinuteLimit(60),
    "half the rate": lambda now: BucketLimit(WriteQuota(QUOTA.burst, QUOTA.per_second / 2), now),
    "burst of 20": lambda now: BucketLimit(WriteQuota(20, QUOTA.per_second), now),
}


class Cell(NamedTuple):
    """One rollback, and whether it is held to the bound."""

    name: str
    reached: LargeRollbackResult
    held: bool

    @property
    def is_met(self) -> bool:
        """Whether it did what is asked of it."""
        if self.reached.undone:
            return False
        fast = self.reached.ratio >= RATIO and self.reached.refused_share <= REFUSED
        return fast or not self.held


def run() -> bool:
    """Whether every cell is met; prints a line for each as it ends."""
    _print(f"{'functions, operation, quota':38} bound  reached  ratio  refused  undone  workers")
    met = True
    for cell in _cells():
        one = cell.reached
        _print(
            f"{cell.name:38} {one.bound:5.0f} {one.seconds:8.0f} {one.ratio:6.2f}"
            f" {one.refused_share:8.1%} {one.undone:7} {one.claims:8}"
            f"{'' if cell.is_met else '  MISSED'}"
        )
        met = met and cell.is_met
    return met


def _cells() -> Iterator[Cell]:
    for functions in SIZES:
        for name, took in TOOK.items():
            reached = LargeRollback(functions, took).roll_back()
            yield Cell(f"{functions}, {name}, as declared", reached, held=True)
    half_way = LargeRollback(SIZES[0], TOOK["8 s"])
    half_way.kills = {SIZES[0] // 2}
    yield Cell(f"{SIZES[0]}, 8 s, killed half-way", half_way.roll_back(), held=True)
    for name, shape in OTHER_SHAPES.items():
        bulk = LargeRollback(SIZES[0], TOOK["8 s"])
        bulk.limit = shape(bulk.now)
        yield Cell(f"{SIZES[0]}, 8 s, {name}", bulk.roll_back(), held=False)


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what was measured


if __name__ == "__main__":
    raise SystemExit(0 if run() else 1)
