"""What becomes of an order that moves data: by the gates, and by what is known of the data."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from responders.data.document_check import read_known_damage
from responders.data.repair import preview
from responders.data.repair.document_outcomes import read_expiries
from responders.rollback.approval import DATA_APPROVAL_REASON
from responders.rollback.decision.fact_collection import collect_facts
from shared.core.codec import StoredDocument
from shared.core.errors import Refused, Rejected
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.data.integrity.scan import ScanRun
from shared.domain.data.repair.repair_plan import RepairPreview, describe_outcomes, parse_selection
from shared.domain.data.ttl import TtlField
from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gate_evaluation import APPROVAL_REQUIRED_GATE, evaluate_reversal
from shared.domain.decision.gates.base import GateAnswer, GateResult, Outcome
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Plan
from shared.domain.rollback.rollback import RollbackRequest
from shared.ports.groups import Ports

PREPARATION_TIMEOUT: Final = timedelta(minutes=30)
"""Beside the time in which any other order is decided: data are looked through first."""


class Preparation(StoredDocument, frozen=True):
    """What is known of the data before anything of it is moved, `surveys/{rollback}`."""

    before: ScanRun | None = None
    """The look through the data that the next one is compared with."""
    target: preview.RepairSource | None = None
    survey: RepairPreview | None = None
    expires_at: datetime | None = None


class DataRequestForecast(Struct, frozen=True):
    """What becomes of an order now."""

    outcome: Outcome
    reason: str
    gates: tuple[GateAnswer, ...]
    plan: Plan | None = None
    survey: RepairPreview | None = None
    overridden: tuple[GateAnswer, ...] = ()
    """What would have held it up, had the person not overridden it."""


def forecast_data_request(
    ports: Ports,
    policy: Policy,
    order: RollbackRequest,
    now: datetime,
    known: Preparation,
    seconds: float,
    waited: float = 0.0,
) -> tuple[DataRequestForecast, Preparation]:
    """Forecast an order, its survey advanced by some seconds; `waited`: seconds since detection."""
    facts = collect_facts(ports, policy, now, list, "", order.target, writing=True).facts
    facts = replace(facts, seconds_since_detection=waited)
    found = forecast_by_gates(order, facts, policy, now + PREPARATION_TIMEOUT, now, "")
    _, record = read_known_damage(ports, policy)
    at = now.replace(second=0, microsecond=0)
    expiries = read_expiries(ports, policy, policy.integrity.database)
    return forecast_by_survey(ports, policy, order, facts, found, known, record, at, expiries, seconds)


def forecast_by_gates(
    order: RollbackRequest,
    facts: DecisionFacts,
    policy: Policy,
    deadline: datetime,
    now: datetime,
    rollback: str,
) -> DataRequestForecast:
    """What becomes of it by the gates alone."""
    by = evaluate_reversal(facts, policy, deadline, now, rollback, override=order.override)
    return DataRequestForecast(by.outcome, by.reason, by.answers, overridden=by.overridden)


def forecast_by_survey(
    ports: Ports,
    policy: Policy,
    order: RollbackRequest,
    facts: DecisionFacts,
    found: DataRequestForecast,
    known: Preparation,
    record: IntegrityRecord,
    at: datetime,
    expiries: Sequence[TtlField],
    seconds: float,
) -> tuple[DataRequestForecast, Preparation]:
    """Advance the survey, or begin anew under another policy; forecast. Raises: Unavailable."""
    try:
        source = known.target or preview.find_repair_source(ports, policy, record, order.restore_point)
        select, survey = parse_selection(order.select), known.survey
        if survey is None or any(one.policy != policy.fingerprint for one in survey.goals):
            survey = preview.begin_survey(ports, policy, select, at, source)
        if not survey.is_over:
            survey = preview.advance_survey(ports, policy, survey, expiries, seconds)
    except (Refused, Rejected) as no:
        return replace(found, outcome=Outcome.ESCALATE, reason=str(no)), known
    found, known = replace(found, survey=survey), replace(known, target=source, survey=survey)
    return _forecast_from_survey(policy, order, facts, found, source, survey), known


def _forecast_from_survey(
    policy: Policy,
    order: RollbackRequest,
    facts: DecisionFacts,
    found: DataRequestForecast,
    source: preview.RepairSource,
    survey: RepairPreview,
) -> DataRequestForecast:
    """What becomes of it by what the survey has found; the same, while that is not over."""
    if not survey.is_over:
        return found
    starts = preview.find_triggered_targets(policy, preview.count_document_writes(survey), facts)
    plan = preview.build_repair_plan(policy, survey, source, starts, facts.seconds_since_detection)
    if plan is None:
        reason = f"there is nothing to bring back: {describe_outcomes(survey.outcome_counts)}"
        return replace(found, outcome=Outcome.IGNORE, reason=reason)
    found = replace(found, plan=plan)
    if found.outcome is not Outcome.ROLLBACK:
        return found
    longer = preview.find_fence_duration_obstacle(policy, timedelta(seconds=preview.survey_seconds(survey)))
    if longer:
        return replace(found, outcome=Outcome.ESCALATE, reason=longer)
    unknown = preview.find_unknown_trigger_reason(facts)
    if unknown:
        return replace(found, outcome=Outcome.HOLD, reason=unknown)
    refused = preview.find_trigger_obstacle(policy, starts)
    if refused:
        return replace(found, outcome=Outcome.ESCALATE, reason=refused)
    good = preview.count_undone_changes(survey.outcome_counts)
    reason = DATA_APPROVAL_REASON
    if good:
        reason = f"{good} changes that nothing is wrong with would be undone"
    if order.override:
        skipped = (
            *found.overridden,
            GateAnswer(APPROVAL_REQUIRED_GATE, GateResult.STOP, reason, Outcome.ASK),
        )
        return replace(found, reason="overridden: nobody is asked", overridden=skipped)
    return replace(found, outcome=Outcome.ASK, reason=reason)
