"""What stands between code and data: functions, dropped indexes, rules; never data."""

from __future__ import annotations

from responders.scenarios.products import Portion
from responders.scenarios.resource_plan import Halves, Sight, joined, of
from shared.domain.deployments.inventory.diff import Part
from shared.domain.policy.model import Policy


def plan(policy: Policy, functions: Portion, sight: Sight) -> Halves:
    """Functions and the indexes that were dropped, side by side; rules ask."""
    within = policy.execution.step_within
    return Halves(
        acts=joined(functions, of(Part.INDEXES, sight, within)),
        asks=of(Part.RULES, sight, within),
    )
