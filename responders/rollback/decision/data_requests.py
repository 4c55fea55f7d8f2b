"""What becomes of an order that moves data: by the gates, and by what is known of the data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from responders.data.damage_record import known_damage
from responders.data.repair import preview
from responders.data.repair.preview import Target
from responders.data.repair.ttl import read_expiries
from responders.rollback.decision.fact_collection import gather
from shared.core.codec import SCHEMA
from shared.core.errors import Refused, Rejected
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.data.integrity.scan import ScanRun
from shared.domain.data.repair import plan as repair
from shared.domain.data.repair.plan import Survey
from shared.domain.data.ttl import Expiry
from shared.domain.decision.facts import Facts
from shared.domain.decision.gate_evaluation import ASKS_FIRST, evaluate_reversal
from shared.domain.decision.gates.base import GateAnswer, GateResult, Outcome
from shared.domain.policy.model import Policy
from shared.domain.rollback.plan import Plan
from shared.domain.rollback.rollback import Order
from shared.ports.groups import Ports

PREPARE_WITHIN: Final = timedelta(minutes=30)
"""Beside the time in which any other order is decided: data are looked through first."""
PEOPLE: Final = 2
WORD_OF_TWO: Final = "data are moved by people's word alone"


class Preparation(Struct, frozen=True):
    """What is known of the data before anything of it is moved, `surveys/{rollback}`."""

    before: ScanRun | None = None
    """The look through the data that the next one is compared with."""
    target: Target | None = None
    survey: Survey | None = None
    expires_at: datetime | None = None
    schema: int = SCHEMA


class Foreseen(Struct, frozen=True):
    """What becomes of an order now."""

    outcome: Outcome
    reason: str
    gates: tuple[GateAnswer, ...]
    plan: Plan | None = None
    survey: Survey | None = None
    overridden: tuple[GateAnswer, ...] = ()
    """What would have held it up, had the person not overridden it."""


def worked_out(
    ports: Ports, policy: Policy, order: Order, now: datetime, known: Preparation, seconds: float
) -> tuple[Foreseen, Preparation]:
    """What would become of the order now, and the data looked through so many seconds further.

    As long as its survey is not over, it is not known yet. Nothing is kept. Raises: Unavailable.
    """
    facts = gather(ports, policy, now, list, "", order.target, writing=True).facts
    found = allowed(order, facts, policy, now + PREPARE_WITHIN, now, "")
    _, record = known_damage(ports, policy)
    at = now.replace(second=0, microsecond=0)
    expiries = read_expiries(ports, policy, policy.integrity.database)
    return looked_through(ports, policy, order, facts, found, known, record, at, expiries, seconds)


def allowed(
    order: Order, facts: Facts, policy: Policy, deadline: datetime, now: datetime, rollback: str
) -> Foreseen:
    """What becomes of it by the gates alone."""
    by = evaluate_reversal(facts, policy, deadline, now, rollback, override=order.override)
    return Foreseen(by.outcome, by.reason, by.answers, overridden=by.overridden)


def looked_through(
    ports: Ports,
    policy: Policy,
    order: Order,
    facts: Facts,
    found: Foreseen,
    known: Preparation,
    record: IntegrityRecord,
    at: datetime,
    expiries: Sequence[Expiry],
    seconds: float,
) -> tuple[Foreseen, Preparation]:
    """What becomes of it by what is known of the data after so many seconds more.

    What was begun goes on where it is, unless it was begun by another policy: then it begins anew.
    Raises: Unavailable.
    """
    try:
        source = known.target or preview.target(ports, policy, record, order.restore_point)
        select, survey = repair.parse_scope(order.select), known.survey
        if survey is None or not survey.is_by(policy.fingerprint):
            survey = preview.begun(ports, policy, select, at, source)
        if not survey.is_over:
            survey = preview.advanced(ports, policy, survey, expiries, seconds)
    except (Refused, Rejected) as no:
        return replace(found, outcome=Outcome.ESCALATE, reason=str(no)), known
    found, known = replace(found, survey=survey), replace(known, target=source, survey=survey)
    return _foreseen(policy, order, facts, found, source, survey), known


def _foreseen(
    policy: Policy, order: Order, facts: Facts, found: Foreseen, source: Target, survey: Survey
) -> Foreseen:
    """What becomes of it by what the survey has found; the same, while that is not over."""
    if not survey.is_over:
        return found
    starts = preview.started(policy, preview.writes(survey), facts)
    plan = preview.planned(policy, survey, source, starts)
    if plan is None:
        reason = f"there is nothing to bring back: {repair.worded(survey.fates)}"
        return replace(found, outcome=Outcome.IGNORE, reason=reason)
    found = replace(found, plan=plan)
    if found.outcome is not Outcome.ROLLBACK:
        return found
    takes = timedelta(seconds=preview.seconds(survey))
    longer = preview.too_long(policy, takes)
    if longer:
        return replace(found, outcome=Outcome.ESCALATE, reason=longer)
    unknown = preview.why_unknown(facts)
    if unknown:
        return replace(found, outcome=Outcome.HOLD, reason=unknown)
    refused = preview.why_not_started(policy, starts)
    if refused:
        return replace(found, outcome=Outcome.ESCALATE, reason=refused)
    good = preview.undone(survey.fates)
    reason = WORD_OF_TWO
    if good:
        reason = f"{good} changes that nothing is wrong with would be undone"
    if order.override:
        skipped = (*found.overridden, GateAnswer(ASKS_FIRST, GateResult.STOP, reason, Outcome.ASK))
        return replace(found, reason="overridden: nobody is asked", overridden=skipped)
    return replace(found, outcome=Outcome.ASK, reason=reason)
