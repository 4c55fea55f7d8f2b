"""Everything that changed since a deployment: sites, configuration, functions; never data."""

from msgspec.structs import replace

from responders.scenarios.products.registry import portion_of
from responders.scenarios.resource_plan import (
    PlanParts,
    Portion,
    ResourceState,
    join_plans,
    order_behind_clients,
)
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.policy.system_policy import Policy

NEW_CLIENTS_WARNING = "what stays new of the sites will call old functions: the system's probes are asked"


def plan_complete(policy: Policy, functions: Portion, sight: ResourceState) -> PlanParts:
    """Sites before the functions that they call; the configuration of clients beside them.

    Rules and identity ask.
    """
    within = policy.execution.step_within
    sites = portion_of(InventoryPart.SITES, sight, within)
    if sites.reported and functions.steps:
        sites = replace(sites, reported=(*sites.reported, NEW_CLIENTS_WARNING))
    return PlanParts(
        acts=join_plans(
            sites,
            portion_of(InventoryPart.REMOTE_CONFIG, sight, within),
            order_behind_clients(sites, functions),
        ),
        asks=join_plans(
            portion_of(InventoryPart.RULES, sight, within), portion_of(InventoryPart.IDENTITY, sight, within)
        ),
    )
