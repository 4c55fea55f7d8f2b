"""How people sign in: the functions of authentication, and the settings of Identity Platform."""

from __future__ import annotations

from responders.scenarios.portion import Portion
from responders.scenarios.products.registry import portion_of
from responders.scenarios.resource_plan import PlanParts, ResourceState
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.system_policy import Policy


def plan_auth(policy: Policy, functions: Portion, sight: ResourceState) -> PlanParts:
    """The functions at once; the settings, field by field, ask."""
    return PlanParts(functions, portion_of(InventoryPart.IDENTITY, sight, policy.execution.step_within))
