"""What a person's order is about: what differs from where they want to go back to. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from shared.domain.decision.facts import Change, Facts, changed, compared
from shared.domain.decision.scenario_scope import of_functions, within
from shared.domain.policy.model import Policy
from shared.domain.rollback.rollback import LAST_STABLE, Order


def ordered_change(order: Order, facts: Facts, policy: Policy) -> Change:
    """What differs from the deployment that a person named, over what they named of it.

    Where they named nothing, over what the scenario is about; of a feature that is no function.
    """
    everything = changed(facts, policy)
    if order.target != LAST_STABLE:
        named = next((one for one in facts.deployments if one.id == order.target), None)
        everything = (
            compared(named, facts.inventory, facts, policy)
            if named is not None and facts.inventory is not None
            else Change(named, {})
        )
    if not (order.groups or order.functions):
        return within(everything, order.scenario, policy, ())
    if everything.target is not None:
        gone = everything.rebuilt & set(everything.deleted)
        back = dict.fromkeys(gone, everything.target.at)
        everything = replace(everything, functions={**everything.functions, **back})
    return of_functions(everything, named_by(order, policy))


def named_by(order: Order, policy: Policy) -> set[str]:
    """The functions that an order is about: all, where it names none and no group."""
    return {
        function
        for function, group in policy.functions.items()
        if not (order.groups or order.functions)
        or group in order.groups
        or function in order.functions
    }
