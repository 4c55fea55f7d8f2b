"""A dry run: an order is decided and planned on what is live now, told, and not carried out."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from responders.data.repair import preview
from responders.rollback.approval import required_approvals
from responders.rollback.decision.data_requests import Preparation, forecast_data_request
from responders.rollback.decision.fact_collection import collect_facts
from responders.rollback.decision.plan import describe_plan_size
from responders.rollback.decision.rollback_decision import build_decided_plan
from shared.core.codec import encode
from shared.core.errors import Moved, Unavailable
from shared.core.store import Document, Write
from shared.core.text import count_noun, first_lines
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.commands.command import CommandRecord
from shared.domain.data.repair import repair_plan as repair
from shared.domain.decision.facts import FunctionDifference, function_differences
from shared.domain.decision.gate_evaluation import Decision, evaluate_request
from shared.domain.decision.gates.base import Outcome
from shared.domain.decision.order_comparison import compare_with_current
from shared.domain.decision.request_scope import requested_change
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.retention import RECORD_RETENTION
from shared.domain.rollback.plan import Plan
from shared.domain.rollback.rollback import Direction, RollbackRequest
from shared.domain.rollback.write_quota import SavedPace
from shared.ports.groups import Ports
from shared.state import work_queue

SURVEY_TIME_LIMIT_SECONDS: Final = 20.0
"""Less than the half minute after which the clock hands on again what is due."""

DRY_RUN_TIMEOUT: Final = timedelta(hours=1)

DryRunAnswer = tuple[str, list[str], dict[str, Any]]
"""What would become of an order: in a word, in lines, and with its facts."""


class DryRun(Struct, frozen=True):
    """What an order would do."""

    decision: Decision
    plan: Plan | None
    shown: list[FunctionDifference]
    pace: SavedPace | None


def record_dry_run(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, order: RollbackRequest
) -> None:
    """Record and notify once what an order would do. Raises: Unavailable, for an hour."""
    now = document.read_at
    found: DryRunAnswer | None
    try:
        if order.way is Direction.REPAIR:
            found = _answer_from_data(ports, policy, document, record, order)
        else:
            found = _answer_from_decision(ports, policy, order, now)
    except Unavailable as silent:
        if now - record.received_at < DRY_RUN_TIMEOUT:
            raise
        found = f"not known: {silent}", [], {}
    if found is None:
        return
    result, details, answer = found
    record = replace(record, result=result, answer=answer, due_at=None, expires_at=now + RECORD_RETENTION)
    text = "\n".join((f"Dry run by {record.actor} in {record.system}: {result}", *details))
    said = create_notices(policy, f"dry-run-{record.id}", Severity.LOW, "rehearsed", text, now, **answer)
    told = create_event("command.rehearsed", now, "worker", command=record.id, result=result, **answer)
    writes: list[Write] = [
        document.build_update(record),
        event_write(record.system, f"rehearsed:{record.id}", told),
    ]
    with suppress(Moved):  # somebody else has told it
        work_queue.commit_with_notices(ports, writes, said)


def forecast_order(
    ports: Ports,
    policy: Policy,
    order: RollbackRequest,
    now: datetime,
    ends: str = "",
    *,
    severity: Severity = Severity.CRITICAL,
) -> DryRun:
    """Decide and plan an order now; it supersedes the rollback `ends`. Raises: Unavailable."""
    facts = collect_facts(ports, policy, now, list, "", order.target).facts
    change = requested_change(order, facts, policy)
    deadline = now + policy.gates.decide_within[Severity.CRITICAL]
    decision = evaluate_request(
        facts, policy, change, deadline, now, ends, scenario=order.scenario, override=order.override
    )
    decision, plan = build_decided_plan(ports, policy, facts, decision, order, severity=severity)
    shown = function_differences(change, facts.inventory or {}) if plan is not None else []
    return DryRun(decision, plan, shown, facts.pace)


def _answer_from_data(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, order: RollbackRequest
) -> DryRunAnswer | None:
    """What would become of it; None: that is not known yet, and a worker is to go on."""
    now = document.read_at
    place = ports.store.get(repair.preview_path(f"dry-run-{record.id}"))
    preparation = place.find(Preparation) or Preparation(expires_at=now + RECORD_RETENTION)
    found, preparation = forecast_data_request(
        ports, policy, order, now, preparation, SURVEY_TIME_LIMIT_SECONDS
    )
    if found.survey is not None and not found.survey.is_over:
        with suppress(Moved):  # somebody else has gone through that piece
            due = document.build_update(replace(record, due_at=now))
            ports.store.commit([place.build_write(preparation), due])
            work_queue.publish_work_item(ports.bus, work_queue.COMMAND, record.id, now)
        return None
    plan, fates = found.plan, found.survey.outcome_counts if found.survey is not None else {}
    result = f"{found.outcome}: {found.reason}"
    if plan is not None:
        documents = count_noun(preview.count_written_documents(fates), "document")
        result += f"; {documents} back to {plan.header.target}"
    return (
        result,
        list(plan.header.reported) if plan is not None else [],
        {
            "outcome": found.outcome,
            "target": plan.header.target if plan is not None else order.restore_point,
            "gates": [encode(answer) for answer in found.gates],
            "plan": plan.header.fingerprint if plan is not None else "",
            "fates": fates,
            "difference": [],
        },
    )


def _answer_from_decision(
    ports: Ports, policy: Policy, order: RollbackRequest, now: datetime
) -> DryRunAnswer:
    under_way = compare_with_current(ports.store, policy, order)
    found = forecast_order(ports, policy, order, now, under_way.rollback if under_way else "")
    decision, plan, shown = found.decision, found.plan, found.shown
    result = f"{decision.outcome}: {decision.reason}"
    if plan is not None:
        result += f"; {describe_plan_size(plan, len(shown))} back to {plan.header.target}"
    if decision.outcome is Outcome.ASK:
        needed = required_approvals(policy, decision, plan.steps if plan is not None else ())
        result += f"; people who must approve: {needed}"
    return (
        result,
        [
            *(under_way.describe() if under_way and decision.outcome is not Outcome.IGNORE else ()),
            *first_lines([*map(str, shown)]),
            *(plan.header.reported if plan is not None else ()),
        ],
        {
            "outcome": decision.outcome,
            "target": decision.target,
            "gates": [encode(answer) for answer in decision.answers],
            "plan": plan.header.fingerprint if plan is not None else "",
            "difference": [encode(one) for one in shown],
            **({"under_way": encode(under_way)} if under_way else {}),
        },
    )
