"""What simpler judges would have done over the same counts."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean

from tests.chaos.decisions.play import DecisionWorld
from tests.chaos.decisions.traffic import MINUTE

NAIVE_SHARE = 0.1
"""More failed requests than this share in one minute: an alert policy with a script acts."""
CONFIDENCE, TOLERANCE = 0.98, 0.25
"""Kayenta's Mann-Whitney classifier (MannWhitneyClassifier, NetflixACAJudge, read 2026-12)."""
BASELINE_MINUTES, CANARY_MINUTES = 15, 10


def decide_by_threshold(world: DecisionWorld) -> bool:
    """Return whether one minute of the world has more failed requests than the threshold."""
    first, last = _minutes(world)
    for minute in range(first, last):
        total, failed = _sum(world, minute)
        if total and failed > NAIVE_SHARE * total:
            return True
    return False


def decide_by_mann_whitney(world: DecisionWorld) -> bool:
    """Return whether more fails after the release than before it, as Kayenta compares them."""
    first, _ = _minutes(world)
    release = first + int(world.situation.release_minute)
    if not world.situation.released:
        return False
    baseline = [_share(world, release - 1 - age) for age in range(BASELINE_MINUTES)]
    canary = [_share(world, release + 1 + age) for age in range(CANARY_MINUTES)]
    return is_higher(baseline, canary)


def is_higher(baseline: Sequence[float], canary: Sequence[float]) -> bool:
    """Return whether the lower bound of the Hodges-Lehmann shift exceeds the tolerance.

    The bound is the k-th smallest difference of all pairs, k by the normal approximation of the
    Mann-Whitney statistic (Hollander and Wolfe, Nonparametric Statistical Methods, section 4.3).
    """
    shifts = sorted(after - earlier for after in canary for earlier in baseline)
    pairs, deviations = len(shifts), NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2)
    spread = math.sqrt(pairs * (len(baseline) + len(canary) + 1) / 12)
    rank = max(0, math.floor(pairs / 2 - deviations * spread))
    return shifts[rank] > TOLERANCE * fmean(baseline) and shifts[rank] > 0.0


def _minutes(world: DecisionWorld) -> tuple[int, int]:
    start = int((world.onset - world.situation.onset_minute * MINUTE).timestamp() // 60)
    return start, start + int(world.situation.played_minutes)


def _sum(world: DecisionWorld, minute: int) -> tuple[int, int]:
    counts = [world.traffic.count(function, minute) for function in world.situation.request_rates]
    return sum(total for total, _ in counts), sum(failed for _, failed in counts)


def _share(world: DecisionWorld, minute: int) -> float:
    total, failed = _sum(world, minute)
    return failed / total if total else 0.0
