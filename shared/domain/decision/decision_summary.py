"""Why automation acts, waits, asks or does nothing, in one sentence."""

from shared.core.durations import format_minute
from shared.domain.decision.gates.base import Outcome
from shared.domain.rollback.rollback import Direction, Rollback, RollbackStatus, approvers
from shared.domain.signals.labels import status_label

_LABELS = {
    RollbackStatus.NOT_TAKEN: "Not rolled back",
    RollbackStatus.RUNNING: "Rolling back",
    RollbackStatus.VERIFYING: "Rolled back",
    RollbackStatus.WATCHING: "Rolled back",
    RollbackStatus.SUCCEEDED: "Rolled back",
}
"""Of a rollback to a deployment; an undo, a repair and an unpin are called by their status."""


def summarize_decision(rollback: Rollback | None) -> str:
    """Return the reason for what a rollback does now, and when that changes without an answer.

    The reason is that of the gate that decides, without its name; a question has all its reasons.
    """
    if rollback is None:
        return "No rollback is recorded."
    reasons = {gate["gate"]: gate["reason"] for gate in rollback.gates}
    question, expiry, text = rollback.question, rollback.parked_until, rollback.outcome
    if (
        question
        and expiry
        and rollback.is_awaiting_approval
        and len(approvers(rollback, question.plan.fingerprint, question.needed)) < question.needed
    ):
        if rollback.status is RollbackStatus.DECIDING:  # the outcome may be why it was not decided again
            text = question.reason
        for gate, reason in reasons.items():
            text = text.replace(f"{gate}: {reason}", reason)
        return f"Approval required: {text}; the request expires at {format_minute(expiry)} UTC."
    text = next((why for gate, why in reasons.items() if text.startswith(f"{gate}: {why}")), text)
    if rollback.status is RollbackStatus.DECIDING:
        return f"Waiting: {text or 'nothing is decided yet'}{_describe_next_decision(rollback)}."
    label = status_label(rollback.status)
    if rollback.way is Direction.BACK:
        label = _LABELS.get(rollback.status, label)
    text = text or str(rollback.order or reasons.get("cause", ""))
    return f"{label}{' (paused)' if rollback.paused_since else ''}: {text}."


def _describe_next_decision(rollback: Rollback) -> str:
    due, deadline = rollback.due_at, rollback.decide_by
    if due is None or deadline is None or not rollback.outcome:
        return ""
    text = f"; automation decides again after {due:%H:%M:%S} UTC"
    leads_to = {gate["gate"]: gate["leads_to"] for gate in rollback.gates}
    # Nobody is asked about what is only observed, or before another rollback has ended.
    if (
        rollback.order
        or Outcome.OBSERVE in leads_to.values()
        or leads_to.get("active rollback") == Outcome.HOLD
    ):
        return text
    return f"{text}, people are asked after {max(due, deadline):%H:%M:%S} UTC"
