"""One feature: a group of functions, and the configuration that turns features on."""

from __future__ import annotations

from responders.scenarios.portion import Portion
from responders.scenarios.products.registry import portion_of
from responders.scenarios.resource_plan import PlanParts, ResourceState, join_plans
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.system_policy import Policy


def plan_feature(policy: Policy, functions: Portion, sight: ResourceState) -> PlanParts:
    """Side by side: neither calls the other."""
    config = portion_of(InventoryPart.REMOTE_CONFIG, sight, policy.execution.step_within)
    return PlanParts(join_plans(config, functions))
