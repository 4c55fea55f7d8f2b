"""Decide and begin an undo. Automation asks for a while before it moves the same functions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from responders.data.erasure_ledger import ERASE_VERB
from responders.data.repair import erasure_after_repair
from responders.rollback.approval import build_approval_request
from responders.rollback.case import Case
from responders.rollback.decision import repair_start
from responders.rollback.decision.data_requests import PREPARATION_TIMEOUT
from responders.rollback.decision.fact_collection import collect_facts
from responders.rollback.decision.rollback_decision import build_hold_transition
from responders.rollback.decision.undo_preview import UndoPreview, is_document_step, preview_from_facts
from responders.rollback.isolation.fence_guard import FencePreparation, prepare_fence
from responders.support.parallel_calls import MAX_TOTAL_SECONDS
from shared.core.codec import encode
from shared.core.store import Query
from shared.domain.data.repair import quarantine
from shared.domain.decision.gates.base import Outcome
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.plan import Plan
from shared.domain.rollback.rollback import Rollback, RollbackRequest
from shared.engine.steps.resource_differences import describe_steps

COPY_ERASURE_VERBS: Final = (ERASE_VERB, erasure_after_repair.ERASE_AFTER_REPAIR_VERB)
EPOCH: Final = datetime.fromtimestamp(0, UTC)


def decide_undo(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    policy, rollback, now = case.policy, case.rollback, case.now()
    order = rollback.order
    if order is None:
        raise ValueError(f"{rollback.id} takes back what nobody has ordered")
    gathered = collect_facts(
        case.ports, policy, now, case.read_alerts, rollback.id, writing=True, hold=case.extend_lease
    )
    if case.raise_severity(gathered.alerts):
        return True
    deadline = case.decide_by
    case.extend_lease(MAX_TOTAL_SECONDS)
    found = preview_from_facts(case.ports, policy, order, gathered.facts, deadline, now, rollback.id)
    found, behind = _add_fence(case, _apply_approvals(rollback, found), deadline)
    plan = found.reversal.plan
    told = {
        "outcome": found.outcome,
        "scenario": ScenarioName.FUNCTIONS,
        "target": order.target,
        "gates": [encode(answer) for answer in found.gates],
        "difference": [encode(one) for one in found.reversal.shown],
        "reported": plan.header.reported if plan is not None else found.reversal.reported,
    }
    match found.outcome:
        case Outcome.HOLD:
            return not case.commit_transition(build_hold_transition(case, found.reason, told))
        case Outcome.ROLLBACK if plan is not None:
            return _begin_undo(case, order, found, plan, behind, told)
        case Outcome.ASK if plan is not None:
            among = f"{'documents' if found.has_documents else 'rebuilds'} among it"
            needed, shown, pace = found.required_approvals, found.reversal.shown, gathered.facts.pace
            turn = build_approval_request(case, plan, needed, found.reason, shown, among, told, pace)
        case _:
            details = found.reversal.reported if plan is None else plan.header.reported
            turn = repair_start.build_refusal_transition(
                case, told, "nothing was done", found.reason, details=details
            )
    return not case.commit_final_transition(turn, answered={alert.key for alert in gathered.alerts})


def _add_fence(case: Case, found: UndoPreview, deadline: datetime) -> tuple[UndoPreview, FencePreparation]:
    """Raise a fence with the undo; wait for a falling one, and for the erasure of copies."""
    plan = found.reversal.plan
    if plan is None or not found.has_documents or found.outcome not in (Outcome.ROLLBACK, Outcome.ASK):
        return found, FencePreparation()
    if case.ports.buckets.quarantine is None:
        return replace(
            found, outcome=Outcome.ESCALATE, reason=quarantine.NO_BUCKET_REASON
        ), FencePreparation()
    behind = prepare_fence(case, found.takes)
    why_not = behind.why_not or _find_copy_erasure(case)
    if why_not:
        waits = case.now() < deadline + PREPARATION_TIMEOUT
        found = replace(found, outcome=Outcome.HOLD if waits else Outcome.ESCALATE, reason=why_not)
    return found, behind


def _find_copy_erasure(case: Case) -> str:
    """Why the copies cannot be put back now; empty: nobody is about to remove any."""
    due = (("system", "==", case.policy.system), ("due_at", ">", EPOCH))
    known = case.ports.store.query(Query("commands", where=due, order_by="due_at"))
    if not any((one.fields or {})["command"] in COPY_ERASURE_VERBS for one in known):
        return ""
    return "copies of people who were erased are being removed"


def _apply_approvals(rollback: Rollback, found: UndoPreview) -> UndoPreview:
    plan = found.reversal.plan
    if found.outcome is not Outcome.ASK or plan is None:
        return found
    reason = repair_start.describe_approvals(rollback, plan, found.required_approvals)
    return replace(found, outcome=Outcome.ROLLBACK, reason=reason) if reason else found


def _begin_undo(
    case: Case,
    order: RollbackRequest,
    found: UndoPreview,
    plan: Plan,
    behind: FencePreparation,
    told: Mapping[str, Any],
) -> bool:
    """As `begin`; for a while automation asks before it moves what operators chose."""
    functions = sorted({one.target for one in plan.steps if not is_document_step(one)})
    beside = [one.name for one in plan.steps if is_document_step(one)]
    until = case.now() + case.policy.deployments.human_first
    return repair_start.begin_data_change(
        case,
        plan,
        behind,
        {**told, "asks_until": until},
        f"{order.way}: {describe_steps(len(functions), beside)} to {order.target}",
        details=plan.header.reported,
        chosen=dict.fromkeys(functions, until),
        is_fenced=found.has_documents and case.policy.fence is not None,
    )
