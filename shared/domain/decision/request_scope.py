"""What a person's order is about: what differs from where they want to go back to. Pure."""

from msgspec.structs import replace

from shared.domain.decision.facts import ChangeSet, DecisionFacts
from shared.domain.decision.rebuild_selection import change_since_stable, detailed_change
from shared.domain.decision.scenario_scope import (
    restrict_to_functions,
    restrict_to_scenario,
    scenario_functions,
)
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import LAST_STABLE, RollbackRequest


def requested_change(order: RollbackRequest, facts: DecisionFacts, policy: Policy) -> ChangeSet:
    """Return what differs from the ordered deployment, over what was named, else the scenario."""
    everything = change_since_stable(facts, policy)
    if order.target != LAST_STABLE:
        named = next((one for one in facts.deployments if one.id == order.target), None)
        everything = (
            detailed_change(named, facts.inventory, facts, policy)
            if named is not None and facts.inventory is not None
            else ChangeSet(named, {})
        )
    if not (order.groups or order.functions):
        return restrict_to_scenario(everything, order.scenario, policy, ())
    if everything.target is not None:
        gone = everything.rebuilt & set(everything.deleted)
        back = dict.fromkeys(gone, everything.target.at)
        everything = replace(everything, functions={**everything.functions, **back})
    return restrict_to_functions(everything, requested_functions(order, policy))


def requested_functions(order: RollbackRequest, policy: Policy) -> set[str]:
    """Return the functions that an order names, else those that its scenario is about."""
    if not (order.groups or order.functions):
        return scenario_functions(order.scenario, policy, ())
    return {
        function
        for function, group in policy.functions.items()
        if group in order.groups or function in order.functions
    }


def widen_order(order: RollbackRequest, other: RollbackRequest | None, policy: Policy) -> RollbackRequest:
    """Return an order over the functions of another one as well."""
    if other is None:
        return order
    functions = requested_functions(order, policy) | requested_functions(other, policy)
    return replace(order, groups=(), functions=tuple(sorted(functions)))
