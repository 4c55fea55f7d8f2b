"""What an order would do, worked out here with read-only rights by the responders' own code."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from cli.wired import Operations
from responders.ordering import order_of
from responders.rehearsing import worked_out
from shared import forecast
from shared.command import Command
from shared.facts import Difference
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
    order = order_of(command, policy)
    found = worked_out(ours.wiring, policy, order, ours.wiring.clock.now())
    decision, plan = found.decision, found.plan
    took = forecast.remaining(
        plan.steps if plan else (),
        policy.execution,
        shift_seconds=Shift.expected_seconds,
        tokens=policy.execution.write_quota.burst,
        batch_size=order.batch_size or policy.execution.batch_size,
        delay=timedelta(seconds=order.delay_seconds) or policy.execution.delay,
    )
    return Preview(
        outcome=decision.outcome,
        reason=decision.reason,
        target=decision.target,
        functions=found.shown,
        reported=list(plan.header.reported) if plan else [],
        seconds=took.total_seconds(),
        fits=took <= policy.targets.functions,
    )
