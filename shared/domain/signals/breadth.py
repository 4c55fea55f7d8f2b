"""How much of a system fails, and which level and scenario the runbook has for that. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from shared.core.text import count_noun
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity, is_worse
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import RouterRequests
from shared.domain.signals.registry import SignalSource, has_source

FEATURE_LEVELS = (Severity.MEDIUM, Severity.LOW)
"""At these levels the runbook rolls features back."""
MIN_JUDGED = 4
"""Fewer functions with requests than this say nothing of the share of a system that fails."""


def measure_level(
    policy: Policy, failing: Collection[str | None], requests: Mapping[str, RouterRequests] = {}
) -> Severity | None:
    """Return the level of these failing functions; None: no function is known to fail.

    Functions that no group covers are LOW; None among them stands for any part of the system.
    Shares are of the functions that have requests: the others cannot be judged. A mass failure that
    meets most requests is a system that is down.
    """
    limits, groups = policy.breadth, policy.functions
    known = groups.keys() & failing
    if not known:
        return Severity.LOW if failing and None not in failing else None
    judged = {name for name, count in requests.items() if count.total and name in groups} | known
    share = len(known) / (max(len(judged), min(MIN_JUDGED, len(groups))) if requests else len(groups))
    counted = {name: one.total for name, one in requests.items() if name in groups}
    affected, total = sum(counted.get(one, 0) for one in known), sum(counted.values())
    is_mass_failure = share > limits.high_above
    if share > limits.critical_above or (is_mass_failure and affected > limits.critical_above * total):
        return Severity.CRITICAL
    features = {
        name
        for name, count in Counter(groups[one] for one in known).items()
        if count > limits.medium_group_above * len(policy.groups[name].functions)
    }
    is_critical_path = not policy.critical_path.isdisjoint(known | features)
    if is_mass_failure or is_critical_path or affected > limits.high_traffic_above * total:
        return Severity.HIGH
    return Severity.MEDIUM if features or len(known) > limits.low_functions else Severity.LOW


def limit_signal(policy: Policy, name: str, level: Severity | None) -> Signal:
    """Return what a signal means at the level of what fails; its severity is the worst it can mean.

    Only the count of requests tells how many functions fail: every other signal means its worst.
    The limited severity decides the scenario, so that targets and decisions agree.
    """
    signal = policy.signals[name]
    if level is None or not has_source(name, SignalSource.REQUESTS):
        return signal
    severity = level if is_worse(signal.severity, level) else signal.severity
    if severity not in FEATURE_LEVELS or signal.scenario in (ScenarioName.NONE, ScenarioName.FEATURE):
        return replace(signal, severity=severity)
    return Signal(severity, ScenarioName.FEATURE, signal.mode)


def count_failing(functions: Collection[str], failing: Collection[str | None]) -> str:
    """Return how many of these functions fail, such as "1 of 14 functions"."""
    return f"{len({*functions} & {*failing})} of {count_noun(len(functions), 'function')}"
