"""A database brought back document by document: prepared, asked about, and begun."""

from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from responders.data.document_check import read_known_damage, request_data_check
from responders.data.repair import preview
from responders.data.repair.document_outcomes import read_expiries
from responders.rollback.approval import DATA_APPROVALS, build_approval_request
from responders.rollback.case import Case
from responders.rollback.decision import repair_start
from responders.rollback.decision.data_requests import (
    PREPARATION_TIMEOUT,
    DataRequestForecast,
    Preparation,
    forecast_by_gates,
    forecast_by_survey,
)
from responders.rollback.decision.fact_collection import collect_facts
from responders.rollback.decision.rollback_decision import build_hold_transition
from responders.rollback.isolation.fence_guard import FencePreparation, prepare_fence
from shared.core import text
from shared.core.codec import encode
from shared.core.errors import Moved, Unavailable
from shared.core.store import Document
from shared.domain.data.integrity.damage import IntegrityRecord, comparison_run, evaluate_writer
from shared.domain.data.repair import quarantine
from shared.domain.data.repair import repair_plan as repair
from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.gates.base import Outcome
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.rollback import LEASE_DURATION, RollbackRequest

SURVEY_LEASE_SHARE: Final = 0.6
"""Of its lease one worker spends so much on looking through the data, then it hands on what it has
found: meanwhile nobody renews the lease."""


def decide_repair(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    rollback, policy, now = case.rollback, case.policy, case.now()
    order = rollback.order
    if order is None:
        raise ValueError(f"{rollback.id} moves data that nobody has ordered to be moved")
    gathered = collect_facts(
        case.ports, policy, now, case.read_alerts, rollback.id, writing=True, hold=case.extend_lease
    )
    if case.raise_severity(gathered.alerts):
        return True
    document = case.ports.store.get(repair.preview_path(rollback.id))
    preparation = document.find(Preparation) or Preparation(expires_at=rollback.expires_at)
    deadline = (rollback.decide_by or now) + PREPARATION_TIMEOUT
    found = forecast_by_gates(order, gathered.facts, policy, deadline, now, rollback.id)
    prepared = preparation
    if found.outcome is Outcome.ROLLBACK:
        try:
            found, prepared = _advance_preparation(case, order, gathered.facts, found, preparation)
        except Unavailable as silent:
            if now < deadline:
                raise
            found = replace(found, outcome=Outcome.ESCALATE, reason=f"the data cannot be read: {silent}")
    if prepared != preparation:
        try:
            case.ports.store.commit([document.build_write(prepared)])
        except Moved:  # another worker has prepared it: decide again by that
            return True
    if found.survey is not None and not found.survey.is_over:
        case.hand_over()
        return False
    found, behind = _add_fence(case, found)
    if found.outcome is Outcome.HOLD and now >= deadline:
        found = replace(found, outcome=Outcome.ESCALATE)
    return _apply_forecast(case, order, found, behind, {alert.key for alert in gathered.alerts})


def _advance_preparation(
    case: Case,
    order: RollbackRequest,
    facts: DecisionFacts,
    found: DataRequestForecast,
    preparation: Preparation,
) -> tuple[DataRequestForecast, Preparation]:
    """What becomes of it as far as the data are known, and what is known then."""
    ports, policy = case.ports, case.policy
    document, record = read_known_damage(ports, policy)
    why = _find_data_obstacle(case, document, record, preparation)
    if record.last is not None:
        preparation = replace(preparation, before=comparison_run(preparation.before, record.last))
    if why:
        return replace(found, outcome=Outcome.HOLD, reason=why), preparation
    if record.last is None:
        return found, preparation
    try:
        expiries = read_expiries(ports, policy, policy.integrity.database)
    except Unavailable as unknown:
        return replace(found, outcome=Outcome.HOLD, reason=str(unknown)), preparation
    left = SURVEY_LEASE_SHARE * LEASE_DURATION.total_seconds() - case.tenure.seconds_since_commit
    at, waited = record.last.at, (case.now() - case.incident.detected_at).total_seconds()
    facts = replace(facts, seconds_since_detection=waited)
    return forecast_by_survey(ports, policy, order, facts, found, preparation, record, at, expiries, left)


def _find_data_obstacle(
    case: Case, document: Document, record: IntegrityRecord, preparation: Preparation
) -> str:
    """Why no data may be moved yet; a look that is too old is asked for again."""
    policy, now = case.policy, case.now()
    if case.ports.buckets.quarantine is None:
        return quarantine.NO_BUCKET_REASON
    quiet = evaluate_writer(record.last, preparation.before, policy, now)
    if quiet.is_quiet:
        return ""
    if quiet.again_at is None or now >= quiet.again_at:
        request_data_check(case.ports, document, record, f"before {case.rollback.id}")
    return quiet.reason


def _add_fence(case: Case, found: DataRequestForecast) -> tuple[DataRequestForecast, FencePreparation]:
    """What becomes of it, and what is raised with it; it waits for what falls."""
    if found.survey is None or found.plan is None or found.outcome not in (Outcome.ROLLBACK, Outcome.ASK):
        return found, FencePreparation()
    behind = prepare_fence(case, timedelta(seconds=preview.survey_seconds(found.survey)))
    if behind.why_not:
        found = replace(found, outcome=Outcome.HOLD, reason=behind.why_not)
    return found, behind


def _apply_forecast(
    case: Case,
    order: RollbackRequest,
    found: DataRequestForecast,
    behind: FencePreparation,
    answered: set[str],
) -> bool:
    """The turn that this leads to; whether the worker goes on."""
    fates = found.survey.outcome_counts if found.survey is not None else {}
    told = {
        "outcome": found.outcome,
        "scenario": ScenarioName.DATABASE,
        "target": found.plan.header.target if found.plan is not None else order.restore_point,
        "gates": [encode(answer) for answer in found.gates],
        "fates": fates,
        "reported": found.plan.header.reported if found.plan is not None else (),
    }
    if case.rollback.overrides:
        told["overridden"] = [encode(answer) for answer in found.overridden]
    if found.outcome is Outcome.HOLD:
        return not case.commit_transition(build_hold_transition(case, found.reason, told))
    back, plan = text.count_noun(preview.count_written_documents(fates), "document"), found.plan
    if found.outcome is Outcome.ASK and plan is not None:
        reason = repair_start.describe_approvals(case.rollback, plan, DATA_APPROVALS)
        if not reason:
            asks = build_approval_request(case, plan, DATA_APPROVALS, found.reason, [], back, told, None)
            shown = f"{found.reason}: {back} as of {plan.header.target}; {plan.header.reported[0]}"
            asks = replace(asks, changes={**asks.changes, "outcome": shown})
            return not case.commit_final_transition(asks, answered=answered)
        found = replace(found, outcome=Outcome.ROLLBACK, reason=reason)
        told["outcome"] = found.outcome
    reported = tuple(text.first_lines(plan.header.reported if plan is not None else ()))
    if found.outcome is Outcome.ROLLBACK and plan is not None:
        skipped = tuple(told.get("overridden", ()))
        return repair_start.begin_data_change(
            case,
            plan,
            behind,
            told,
            f"bringing back {back} as of {plan.header.target}: {found.reason}",
            details=reported,
            is_fenced=case.policy.fence is not None,
            overrides=tuple(replace(one, skipped=skipped) for one in case.rollback.overrides),
        )
    is_over = found.outcome is Outcome.IGNORE
    no = repair_start.build_refusal_transition(
        case, told, "no data were moved", found.reason, details=reported, is_over=is_over
    )
    return not case.commit_final_transition(no, answered=answered)
