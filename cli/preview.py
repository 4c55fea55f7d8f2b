"""What an order would do, worked out here with read-only rights by the responders' own code."""

from __future__ import annotations

from msgspec import Struct

from cli.wired import Operations
from responders.deciding import ordered_change, planned
from responders.gathering import gather
from responders.ordering import order_of
from shared import forecast
from shared.command import Command
from shared.facts import Difference, differences
from shared.gates import evaluate_order
from shared.policy import Policy
from shared.steps.shift import Shift


class Preview(Struct, frozen=True):
    """What would be decided now, and what it would change."""

    outcome: str
    reason: str
    target: str
    functions: list[Difference]
    reported: list[str]
    """What would be left as it is, one line each."""
    seconds: float
    """From the beginning to the last shift."""
    fits: bool
    """Whether that is within the policy's target for functions."""


def preview(ours: Operations, policy: Policy, command: Command) -> Preview:
    """What this command would do now. Raises: Unavailable, Rejected."""
    now = ours.wiring.clock.now()
    facts = gather(ours.wiring, policy, now, list, "").facts
    change = ordered_change(order_of(command, policy), facts, policy)
    override = command.override
    decision = evaluate_order(facts, policy, change, now, now, "", override=override)
    plan = planned(policy, facts, decision, change)
    took = forecast.remaining(
        plan.steps if plan else (),
        policy.execution,
        shift_seconds=Shift.expected_seconds,
        tokens=policy.execution.write_quota.burst,
        batch_size=command.batch_size or policy.execution.batch_size,
    )
    return Preview(
        outcome=decision.outcome,
        reason=decision.reason,
        target=decision.target,
        functions=differences(change, facts.inventory or {}) if plan else [],
        reported=list(plan.header.reported) if plan else [],
        seconds=took.total_seconds(),
        fits=took <= policy.targets.functions,
    )
