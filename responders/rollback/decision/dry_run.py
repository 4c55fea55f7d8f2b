"""A dry run: an order is decided and planned on what is live now, told, and not carried out."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from responders.data.repair import preview
from responders.rollback.approval import described
from responders.rollback.decision import data_requests
from responders.rollback.decision.data_requests import Foreseen, Preparation
from responders.rollback.decision.fact_collection import gather
from responders.rollback.decision.plan import counted, people_needed
from responders.rollback.decision.rollback_decision import planned
from shared.core.codec import decode, encode
from shared.core.errors import Moved, Unavailable
from shared.core.store import Document, Update, Write, written
from shared.domain.audit.chain import event
from shared.domain.audit.system_chain import write_down
from shared.domain.commands.command import CommandRecord
from shared.domain.data.repair import plan as repair
from shared.domain.decision.facts import FunctionDifference, differences
from shared.domain.decision.gate_evaluation import Decision, evaluate_order
from shared.domain.decision.gates.base import Outcome
from shared.domain.decision.request_scope import ordered_change
from shared.domain.notices.notice import notices
from shared.domain.policy.model import Policy
from shared.domain.policy.severity import Severity
from shared.domain.retention import KEPT_FOR
from shared.domain.rollback.plan import Plan
from shared.domain.rollback.rollback import Direction, Order
from shared.domain.rollback.write_quota import PaceLeft
from shared.ports.groups import Ports
from shared.state import work_queue

PIECE_SECONDS: Final = 20.0
"""Less than the half minute after which the clock hands on again what is due."""

GIVEN_UP_AFTER: Final = timedelta(hours=1)

Answered = tuple[str, list[str], dict[str, object]]
"""What would become of an order: in a word, in lines, and with its facts."""


class DryRun(Struct, frozen=True):
    """What an order would do."""

    decision: Decision
    plan: Plan | None
    """None where there is none to be made."""
    shown: list[FunctionDifference]
    """What the plan changes."""
    pace: PaceLeft | None
    """How fast a worker might write now."""


def rehearse(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, order: Order
) -> None:
    """Record and tell what an order would do; once, whoever else does so too.

    Data are looked through in pieces, each of which is due when the one before is kept.
    Raises: Unavailable, for an hour.
    """
    now = document.read_at
    try:
        found = _worked_out(ports, policy, document, record, order)
    except Unavailable as silent:
        if now - record.received_at < GIVEN_UP_AFTER:
            raise
        found = f"not known: {silent}", [], {}
    if found is None:
        return
    result, details, answer = found
    known = replace(record, result=result, answer=answer, due_at=None, expires_at=now + KEPT_FOR)
    text = "\n".join((f"Dry run by {record.actor} in {record.system}: {result}", *details))
    key = f"dry-run-{record.id}"
    said = notices(policy, key, Severity.LOW, "rehearsed", text, now, to_paste=(), **answer)
    told = event("command.rehearsed", now, "worker", command=record.id, result=result, **answer)
    kept = Update(document.path, encode(known), document.version)
    writes: list[Write] = [kept, write_down(record.system, f"rehearsed:{record.id}", told)]
    with suppress(Moved):  # somebody else has told it
        work_queue.commit_with_notices(ports.store, ports.bus, writes, said)


def _worked_out(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, order: Order
) -> Answered | None:
    """What would become of it; None: that is not known yet. Raises: Unavailable."""
    if order.way is not Direction.REPAIR:
        return _answer(ports, policy, order, document.read_at)
    found = _further(ports, policy, document, record, order)
    return None if found is None else _data_answer(order, found)


def worked_out(ports: Ports, policy: Policy, order: Order, now: datetime) -> DryRun:
    """What would become of the order now, as it would be decided at first. Raises: Unavailable."""
    facts = gather(ports, policy, now, list, "", order.target).facts
    change = ordered_change(order, facts, policy)
    deadline = now + policy.gates.decide_within[Severity.CRITICAL]
    decision = evaluate_order(
        facts,
        policy,
        change,
        deadline,
        now,
        "",
        scenario=order.scenario,
        override=order.override,
    )
    decision, plan = planned(ports, policy, facts, decision, order)
    shown = differences(change, facts.inventory or {}) if plan is not None else []
    return DryRun(decision, plan, shown, facts.pace)


def _further(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, order: Order
) -> Foreseen | None:
    """What would become of it; None: that is not known yet, and a worker is to go on."""
    now = document.read_at
    place = ports.store.get(repair.survey_path(f"dry-run-{record.id}"))
    known = Preparation(expires_at=now + KEPT_FOR)
    known = decode(Preparation, place.fields) if place.fields else known
    found, known = data_requests.worked_out(ports, policy, order, now, known, PIECE_SECONDS)
    if found.survey is None or found.survey.is_over:
        return found
    with suppress(Moved):  # somebody else has gone through that piece
        due = Update(document.path, encode(replace(record, due_at=now)), document.version)
        ports.store.commit([written(place, encode(known)), due])
        work_queue.publish(ports.bus, work_queue.COMMAND, record.id, now)
    return None


def _data_answer(order: Order, found: Foreseen) -> Answered:
    """The same in a word, in lines, and with its facts."""
    plan, fates = found.plan, found.survey.fates if found.survey is not None else {}
    result = f"{found.outcome}: {found.reason}"
    if plan is not None:
        result += f"; {preview.written(fates)} documents back to {plan.header.target}"
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


def _answer(ports: Ports, policy: Policy, order: Order, now: datetime) -> Answered:
    """What would become of the order now: in a word, in lines, and with its facts."""
    found = worked_out(ports, policy, order, now)
    decision, plan, shown = found.decision, found.plan, found.shown
    result = f"{decision.outcome}: {decision.reason}"
    if plan is not None:
        result += f"; {counted(plan, len(shown))} back to {plan.header.target}"
    if decision.outcome is Outcome.ASK:
        needed = people_needed(policy, decision, plan.steps if plan is not None else ())
        result += f"; people who must approve: {needed}"
    return (
        result,
        [*described(shown), *(plan.header.reported if plan is not None else ())],
        {
            "outcome": decision.outcome,
            "target": decision.target,
            "gates": [encode(answer) for answer in decision.answers],
            "plan": plan.header.fingerprint if plan is not None else "",
            "difference": [encode(one) for one in shown],
        },
    )
