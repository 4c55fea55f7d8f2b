"""What a person's order is about: what differs from where they want to go back to. Pure."""

from msgspec.structs import replace

from shared.domain.decision import scenario_scope
from shared.domain.decision.facts import ChangeSet, DecisionFacts
from shared.domain.decision.rebuild_selection import change_since_stable, detailed_change
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import LAST_STABLE, Direction, RollbackRequest


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
        return scenario_scope.restrict_to_scenario(everything, order.scenario, policy, ())
    if everything.target is not None:
        back = dict.fromkeys(everything.rebuilt & set(everything.deleted), everything.target.at)
        everything = replace(everything, functions={**everything.functions, **back})
    return scenario_scope.restrict_to_functions(everything, requested_functions(order, policy))


def requested_functions(order: RollbackRequest, policy: Policy) -> set[str]:
    """Return the functions that an order names, else those that its scenario is about."""
    if not (order.groups or order.functions):
        return scenario_scope.scenario_functions(order.scenario, policy, ())
    return {one for one, group in policy.functions.items() if group in order.groups or one in order.functions}


def find_scope_fault(order: RollbackRequest, policy: Policy) -> str:
    """Return why an order restores nothing that the policy declares; empty: it may restore."""
    system, resources = policy.system, policy.resources
    if order.way is Direction.REPAIR:
        if not policy.collections:
            return f"{system} declares no collections: nobody knows what is valid"
        return "functions and groups name no documents: use select" if order.groups or order.functions else ""
    declared = {ScenarioName.AUTH: resources.identity, ScenarioName.FEATURE: resources.remote_config}
    if requested_functions(order, policy) or declared.get(order.scenario, True):
        return ""
    return f"the scenario {order.scenario} restores nothing of {system}: name functions or groups"


def widen_order(order: RollbackRequest, other: RollbackRequest | None, policy: Policy) -> RollbackRequest:
    """Return an order over the functions of another one as well."""
    if other is None:
        return order
    functions = requested_functions(order, policy) | requested_functions(other, policy)
    return replace(order, groups=(), functions=tuple(sorted(functions)))
