"""One feature: a group of functions, and the configuration that turns features on."""

from __future__ import annotations

from responders.scenarios.products import Portion
from responders.scenarios.resource_plan import Halves, Sight, joined, of
from shared.domain.deployments.inventory.diff import Part
from shared.domain.policy.model import Policy


def plan(policy: Policy, functions: Portion, sight: Sight) -> Halves:
    """Side by side: neither calls the other."""
    config = of(Part.REMOTE_CONFIG, sight, policy.execution.step_within)
    return Halves(joined(config, functions))
