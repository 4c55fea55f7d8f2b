"""What each scenario brings back: which parts of a system at once, and which only when asked."""

from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from shared.domain.decision.facts import ChangeSet, DecisionFacts
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.signals import Signal
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.breadth import limit_signal
from shared.domain.signals.failure_evidence import spread_failure
from shared.domain.signals.health import sum_requests
from shared.domain.signals.registry import SignalSource, has_source


class ScenarioScope(Struct, frozen=True):
    """The parts of an inventory that a scenario brings back. Data is in none of them."""

    acts: frozenset[InventoryPart] = frozenset()
    """As far as the scenario may act at all."""
    asks: frozenset[InventoryPart] = frozenset()
    """Only by a person's word: older ones can reopen a hole."""

    @property
    def other_parts(self) -> frozenset[InventoryPart]:
        """All of them but the functions."""
        return (self.acts | self.asks) - {InventoryPart.FUNCTIONS}


SCENARIO_SCOPES: dict[ScenarioName, ScenarioScope] = {
    ScenarioName.FUNCTIONS: ScenarioScope(frozenset({InventoryPart.FUNCTIONS})),
    ScenarioName.COMPLETE: ScenarioScope(
        frozenset({InventoryPart.FUNCTIONS, InventoryPart.SITES, InventoryPart.REMOTE_CONFIG}),
        frozenset({InventoryPart.RULES, InventoryPart.IDENTITY}),
    ),
    ScenarioName.AUTH: ScenarioScope(
        frozenset({InventoryPart.FUNCTIONS}), frozenset({InventoryPart.IDENTITY})
    ),
    ScenarioName.DATABASE: ScenarioScope(
        frozenset({InventoryPart.FUNCTIONS, InventoryPart.INDEXES}), frozenset({InventoryPart.RULES})
    ),
    ScenarioName.FEATURE: ScenarioScope(frozenset({InventoryPart.FUNCTIONS, InventoryPart.REMOTE_CONFIG})),
    ScenarioName.NONE: ScenarioScope(),
}


PART_SCENARIOS = frozenset({ScenarioName.FUNCTIONS, ScenarioName.AUTH, ScenarioName.DATABASE})
"""The scenarios of one part of a system, each of which the runbook takes for a sign of the whole
being down."""


def widen_scenario(signal: Signal, facts: DecisionFacts, policy: Policy) -> Signal:
    """The signal, where more than its part is bad as one of everything.

    That is where every request fails, or as grave alerts tell of several parts at once. Not where
    it would act less readily than it does.
    """
    everything = replace(signal, scenario=ScenarioName.COMPLETE)
    more = signal.scenario is ScenarioName.FUNCTIONS and _is_total_failure(facts, policy)
    if not more and len(_affected_parts(signal, facts, policy)) < 2:
        return signal
    return signal if policy.strictest_mode(everything) < policy.strictest_mode(signal) else everything


def _affected_parts(signal: Signal, facts: DecisionFacts, policy: Policy) -> set[ScenarioName]:
    """The parts that alerts as grave as this signal tell of; none where data is not as it was."""
    open_ones = {alert.signal for alert in facts.alerts if not alert.is_over}
    of_data = any(has_source(name, SignalSource.DATA) for name in open_ones)
    if signal.scenario not in PART_SCENARIOS or of_data:
        return set()
    grave = (name for name in open_ones if policy.signals[name].severity is signal.severity)
    level = facts.measure_level(policy)
    return {limit_signal(policy, name, level).scenario for name in grave} & PART_SCENARIOS


def _is_total_failure(facts: DecisionFacts, policy: Policy) -> bool:
    """Whether every request failed, and enough functions have traffic to tell of the system."""
    counts = [count for name, count in (facts.requests or {}).items() if name in policy.functions]
    active, size = sum(count.total > 0 for count in counts), len(policy.functions)
    whole = sum_requests(counts)
    is_enough = active == size or active > max(1, policy.breadth.high_above * size)
    return is_enough and whole.total >= policy.gates.minimum_requests and whole.failed == whole.total


def restrict_to_failing(
    change: ChangeSet, scenario: ScenarioName, facts: DecisionFacts, policy: Policy
) -> ChangeSet:
    """Return the change over what fails, where only functions fail: the narrowest that helps.

    What nothing is known of goes back with what fails around it. While no function is known to fail
    the change stays whole, so that the gates can name what is missing.
    """
    failing = facts.find_known_failing(policy)
    if scenario in (ScenarioName.FUNCTIONS, ScenarioName.FEATURE) and failing:
        spread = spread_failure([change.functions], failing, facts.assess(policy))
        return restrict_to_functions(change, spread)
    return restrict_to_scenario(change, scenario, policy, failing)


def restrict_to_scenario(
    change: ChangeSet, scenario: ScenarioName, policy: Policy, failing: Collection[str]
) -> ChangeSet:
    """The change over the functions that a scenario is about."""
    if scenario not in (ScenarioName.AUTH, ScenarioName.FEATURE):
        return change
    return restrict_to_functions(change, scenario_functions(scenario, policy, failing))


def scenario_functions(scenario: ScenarioName, policy: Policy, failing: Collection[str]) -> set[str]:
    """Return a scenario's functions: of sign-in, of the failing groups (feature), or all."""
    groups = {*policy.groups}
    if scenario is ScenarioName.AUTH:
        groups = policy.sign_in_groups
    elif scenario is ScenarioName.FEATURE:
        groups = {policy.functions[one] for one in failing if one in policy.functions}
    return {name for name, group in policy.functions.items() if group in groups}


def restrict_to_functions(change: ChangeSet, wanted: Collection[str]) -> ChangeSet:
    """The change over these functions alone."""
    return replace(
        change,
        functions={name: at for name, at in change.functions.items() if name in wanted},
        created=tuple(name for name in change.created if name in wanted),
        deleted=tuple(name for name in change.deleted if name in wanted),
    )
