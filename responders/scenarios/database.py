"""What stands between code and data: functions, dropped indexes, rules; never data."""

from __future__ import annotations

from responders.scenarios.portion import Portion
from responders.scenarios.products.registry import portion_of
from responders.scenarios.resource_plan import PlanParts, ResourceState, join_plans
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.system_policy import Policy


def plan_database(policy: Policy, functions: Portion, sight: ResourceState) -> PlanParts:
    """Functions and the indexes that were dropped, side by side; rules ask."""
    within = policy.execution.step_within
    return PlanParts(
        acts=join_plans(functions, portion_of(InventoryPart.INDEXES, sight, within)),
        asks=portion_of(InventoryPart.RULES, sight, within),
    )
