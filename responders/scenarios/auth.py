"""How people sign in: the functions of authentication, and the settings of Identity Platform."""

from __future__ import annotations

from responders.scenarios.products import Portion
from responders.scenarios.resource_plan import Halves, Sight, of
from shared.domain.deployments.inventory.diff import Part
from shared.domain.policy.model import Policy


def plan(policy: Policy, functions: Portion, sight: Sight) -> Halves:
    """The functions at once; the settings, field by field, ask."""
    return Halves(functions, of(Part.IDENTITY, sight, policy.execution.step_within))
