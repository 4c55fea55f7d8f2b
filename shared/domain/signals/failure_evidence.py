"""Which functions fail at a level, by what their requests prove alone and together; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.signals import FUNCTION_SIGNAL, Unit
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import (
    FALSE_ALARMS,
    RouterRequests,
    failure_ratio,
    has_failed,
    sum_requests,
    working_functions,
)

DEFAULT_FUNCTION_LEVEL = 0.5
"""The runbook's `functionFailureRate`, where a policy has no signal of that name."""
FALSE_FURTHER_ALARMS = 0.05
"""The budget of a further function of a release that is already being rolled back."""


def function_level(policy: Policy) -> float:
    """Return the failure ratio of one function from which on its owner wants a rollback."""
    signal = policy.signals.get(FUNCTION_SIGNAL)
    return signal.threshold if signal and signal.threshold else DEFAULT_FUNCTION_LEVEL


def _failure_level(policy: Policy, whole: RouterRequests) -> float:
    """Return the level of one function; where a share of all is proven to fail, that share."""
    ratios = [
        condition.threshold
        for signal in policy.signals.values()
        for condition in signal.also
        if condition.unit is Unit.RATIO and signal.scenario is not ScenarioName.NONE
    ]
    return min([function_level(policy), *(ratio for ratio in ratios if has_failed(whole, ratio))])


class FailureEvidence(Struct, frozen=True):
    """What the requests of a window tell of each function."""

    level: float
    """The failure ratio of one function that counts as a failure."""
    counts: dict[str, RouterRequests]
    """The requests of the functions that have any."""
    failing: frozenset[str]
    """Proven to fail at the level, alone or with the other quiet functions of their group."""
    broken: frozenset[str]
    """More of their requests fail than the level allows, be it by chance."""

    @property
    def sound(self) -> frozenset[str]:
        """Return the functions of whose requests no more fail than the level allows."""
        return frozenset(self.counts.keys() - self.broken)


def assess_failures(policy: Policy, requests: Mapping[str, RouterRequests]) -> FailureEvidence:
    """Return which functions fail, judged alone, then by group, then all together.

    Functions that are too quiet to be judged alone are judged together: a group, or a system, of
    functions with a request every few minutes still tells that nothing in it works. Where more
    functions seem to fail, they share the budget of false alarms: of 75 that fail a little below
    the level, one would cross it by chance. A group has the shares of its functions that seem to
    fail.
    """
    functions = policy.functions.keys()
    counts = {name: requests[name] for name in functions & requests.keys() if requests[name].total}
    level = _failure_level(policy, sum_requests(counts.values()))
    broken = {name for name, count in counts.items() if failure_ratio(count) > level}
    budget = FALSE_ALARMS / max(1, len(broken))
    failing = {name for name in broken if has_failed(counts[name], level, budget)}
    proven = failing | working_functions(counts, policy.gates)
    for area in list_areas(policy):
        quiet = counts.keys() & area - proven
        suspects = broken & quiet
        count = sum_requests(counts[name] for name in quiet)
        if suspects and has_failed(count, level, budget * len(suspects)):
            failing |= suspects
    return FailureEvidence(level, counts, frozenset(failing), frozenset(broken))


def spread_failure(
    areas: Iterable[Collection[str]], failing: set[str], evidence: FailureEvidence
) -> set[str]:
    """Return what fails, with what fails by too few requests to prove it.

    Of an area, such as a group, all is added where at least two functions fail and the others have
    no requests, or fail too when they are counted together.
    """
    if not failing:
        return failing
    spread = failing | evidence.broken
    for area in map(set, areas):
        others = sum_requests(evidence.counts[name] for name in evidence.sound & area - failing)
        works = others.total > 0 and failure_ratio(others) <= evidence.level / 2
        if len(spread & area) > 1 and not works:
            spread |= area
    return spread


def list_areas(policy: Policy) -> list[set[str]]:
    """Return the functions of each group, and all of them: what fails together."""
    groups = ({*group.functions} for group in policy.groups.values())
    return [*groups, {*policy.functions}]
