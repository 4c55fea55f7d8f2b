"""How many people must approve a plan."""

from collections.abc import Iterable
from typing import Final

from shared.domain.decision.gate_evaluation import Decision
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step
from shared.engine.steps.registry import class_of

DATA_APPROVALS: Final = 2
"""Of a request that moves data."""
DATA_APPROVAL_REASON: Final = "data are moved by people's word alone"


def required_approvals(policy: Policy, decision: Decision, steps: Iterable[Step]) -> int:
    """How many different people must want it; rules and identity are never one person's word."""
    reopens = any(class_of(step).four_eyes for step in steps)
    return 2 if reopens or decision.scenario in policy.gates.four_eyes else 1
