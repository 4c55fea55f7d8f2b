"""The registry of scenarios: each one by its name, and the module that plans it."""

from __future__ import annotations

from collections.abc import Callable

from responders.scenarios import auth, complete, database, feature
from responders.scenarios.portion import Portion
from responders.scenarios.resource_plan import PlanParts, ResourceState
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy

SCENARIOS: dict[ScenarioName, Callable[[Policy, Portion, ResourceState], PlanParts]] = {
    ScenarioName.COMPLETE: complete.plan_complete,
    ScenarioName.AUTH: auth.plan_auth,
    ScenarioName.DATABASE: database.plan_database,
    ScenarioName.FEATURE: feature.plan_feature,
}
"""The scenarios of more than functions; `functions` plans the functions of every scenario."""


def has_plan(scenario: str) -> bool:
    """Return whether a scenario can be carried out."""
    return scenario == ScenarioName.FUNCTIONS or scenario in SCENARIOS
