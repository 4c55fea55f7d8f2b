"""A dry run: an order is decided and planned on what is live now, told, and not carried out."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from responders.deciding import ordered_change, people_needed, planned
from responders.gathering import gather
from responders.waiting import described
from shared import handover
from shared.audit import event
from shared.command import CommandRecord
from shared.documents import encode
from shared.errors import Moved
from shared.facts import Difference, differences
from shared.gate import Outcome
from shared.gates import Decision, evaluate_order
from shared.notice import creates, notices
from shared.outside import write_down
from shared.plan import Plan
from shared.policy import Policy, Severity
from shared.ports import Document, Ports, Update
from shared.rollback import KEPT_FOR, Order


class WorkedOut(Struct, frozen=True):
    """What an order would do."""

    decision: Decision
    plan: Plan | None
    """None where there is none to be made."""
    shown: list[Difference]
    """What the plan changes."""


def rehearse(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, order: Order
) -> None:
    """Record and tell what an order would do; once, whoever else does so too.

    Raises: Unavailable.
    """
    now = document.read_at
    result, details, answer = _answer(ports, policy, order, now)
    known = replace(record, result=result, answer=answer, due_at=None, expires_at=now + KEPT_FOR)
    text = "\n".join((f"Dry run by {record.actor} in {record.system}: {result}", *details))
    key = f"dry-run-{record.id}"
    said = notices(policy, key, Severity.LOW, "rehearsed", text, now, **answer)
    told = event("command.rehearsed", now, "worker", command=record.id, result=result, **answer)
    try:
        ports.store.commit(
            [
                Update(document.path, encode(known), document.version),
                write_down(record.system, f"rehearsed:{record.id}", told),
                *creates(said),
            ]
        )
    except Moved:  # somebody else has told it
        return
    handover.publish_notices(ports.bus, said)


def worked_out(ports: Ports, policy: Policy, order: Order, now: datetime) -> WorkedOut:
    """What would become of the order now, as it would be decided at first. Raises: Unavailable."""
    facts = gather(ports, policy, now, list, "").facts
    change = ordered_change(order, facts, policy)
    deadline = now + policy.gates.decide_within[Severity.CRITICAL]
    decision = evaluate_order(facts, policy, change, deadline, now, "", override=order.override)
    plan = planned(policy, facts, decision)
    shown = differences(change, facts.inventory or {}) if plan is not None else []
    return WorkedOut(decision, plan, shown)


def _answer(
    ports: Ports, policy: Policy, order: Order, now: datetime
) -> tuple[str, list[str], dict[str, object]]:
    """What would become of the order now: in a word, in lines, and with its facts."""
    found = worked_out(ports, policy, order, now)
    decision, plan, shown = found.decision, found.plan, found.shown
    result = f"{decision.outcome}: {decision.reason}"
    if plan is not None:
        result += f"; {len(shown)} functions back to {plan.header.target}"
    if decision.outcome is Outcome.ASK:
        result += f"; people who must approve: {people_needed(policy, decision)}"
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
