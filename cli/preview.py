"""What an order would do, worked out here with read-only rights by the responders' own code."""

from __future__ import annotations

import math

from msgspec import Struct

from cli.wired import Operations
from responders import weighing
from responders.ordering import order_of
from responders.planning import beside_of
from responders.rehearsing import worked_out
from responders.repairs import foreseeing
from responders.weighing import Preparation
from shared import forecast
from shared.command import Command
from shared.facts import Difference
from shared.policy import Policy
from shared.rollback import Order, Way


class Preview(Struct, frozen=True):
    """What would be decided now, and what it would change."""

    outcome: str
    reason: str
    target: str
    functions: list[Difference]
    beside: list[str]
    """What else it would do, by step."""
    reported: list[str]
    """What would be left as it is, one line each."""
    seconds: float
    """From the beginning to the last shift."""
    fits: bool
    """Whether that is within the policy's target for functions; of data, for the database."""
    documents: int = 0
    """So many would be written."""


def preview(ours: Operations, policy: Policy, command: Command) -> Preview:
    """What this command would do now. Raises: Unavailable, Rejected."""
    now = ours.wiring.clock.now()
    order = order_of(command, policy, now)
    if order.way is Way.REPAIR:
        return _of_data(ours, policy, order)
    found = worked_out(ours.wiring, policy, order, now)
    decision, plan = found.decision, found.plan
    ahead = forecast.outlook(
        plan.steps if plan else (), policy, order=order, left=found.pace, now=now
    )
    return Preview(
        outcome=decision.outcome,
        reason=decision.reason,
        target=decision.target,
        functions=found.shown,
        beside=beside_of(plan) if plan else [],
        reported=list(plan.header.reported) if plan else [],
        seconds=ahead.seconds,
        fits=ahead.fits,
    )


def _of_data(ours: Operations, policy: Policy, order: Order) -> Preview:
    now = ours.wiring.clock.now()
    found, _ = weighing.worked_out(ours.wiring, policy, order, now, Preparation(), math.inf)
    plan, survey = found.plan, found.survey
    seconds = foreseeing.seconds(survey) if survey is not None else 0.0
    return Preview(
        outcome=found.outcome,
        reason=found.reason,
        target=plan.header.target if plan is not None else order.restore_point,
        functions=[],
        beside=[],
        reported=list(plan.header.reported) if plan is not None else [],
        seconds=seconds,
        fits=seconds <= policy.targets.database.total_seconds(),
        documents=foreseeing.written(survey.fates) if survey is not None else 0,
    )
