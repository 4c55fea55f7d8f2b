"""The registry of scenarios: the parts that each one restores beside the functions."""

from collections.abc import Callable, Iterable
from functools import partial

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
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy

NEW_CLIENTS_WARNING = "sites that stay on the new version call old functions: the probes check that"


def _plan_parts(
    policy: Policy,
    functions: Portion,
    sight: ResourceState,
    *,
    before: Iterable[InventoryPart] = (),
    after: Iterable[InventoryPart] = (),
    asks: Iterable[InventoryPart] = (),
) -> PlanParts:
    def portions(parts: Iterable[InventoryPart]) -> list[Portion]:
        return [portion_of(one, sight, policy.execution.step_within) for one in parts]

    return PlanParts(join_plans(*portions(before), functions, *portions(after)), join_plans(*portions(asks)))


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


SCENARIOS: dict[ScenarioName, Callable[[Policy, Portion, ResourceState], PlanParts]] = {
    ScenarioName.COMPLETE: plan_complete,
    ScenarioName.AUTH: partial(_plan_parts, asks=(InventoryPart.IDENTITY,)),
    ScenarioName.DATABASE: partial(_plan_parts, after=(InventoryPart.INDEXES,), asks=(InventoryPart.RULES,)),
    ScenarioName.FEATURE: partial(_plan_parts, before=(InventoryPart.REMOTE_CONFIG,)),
}
"""The scenarios of more than functions; `functions` plans the functions of every scenario."""


def has_plan(scenario: str) -> bool:
    """Return whether a scenario can be carried out."""
    return scenario == ScenarioName.FUNCTIONS or scenario in SCENARIOS
