"""The one sentence that says why automation acts, waits, asks or does nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.decision.decision_summary import summarize_decision
from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.rollback.plan import PlanHeader
from shared.domain.rollback.rollback import (
    ApprovalAnswer,
    ApprovalRequest,
    Direction,
    Rollback,
    RollbackRequest,
    RollbackStatus,
)

NOW = datetime(2026, 3, 2, 12, 4, tzinfo=UTC)
NEXT, DEADLINE = NOW + timedelta(seconds=30), NOW + timedelta(minutes=2)
AGAIN = "automation decides again after 12:04:30 UTC"
PLAN = PlanHeader(ScenarioName.FUNCTIONS, "v1", 8, "f1", "p1")
ORDER = RollbackRequest(command="c1", actor="ada", reason="checkout broken")


def gate(name: str, answer: GateResult, reason: str, leads_to: Outcome = Outcome.ROLLBACK) -> dict[str, Any]:
    """One answer, as it is stored."""
    return {"gate": name, "answer": answer.value, "reason": reason, "leads_to": leads_to.value}


UNCONFIRMED = gate("still true", GateResult.UNKNOWN, "no second source", Outcome.ASK)
ASK_MODE = gate("mode", GateResult.STOP, "system ask", Outcome.ASK)
BARRIER = gate("barrier", GateResult.STOP, "v2 (orders were migrated)", Outcome.ASK)
CAUSE = gate("cause", GateResult.PASS, "2 of 2 changed functions fail")
DECLARED = gate("cause", GateResult.NOT_APPLICABLE, "it was declared")
UNREAD = gate("external cause", GateResult.UNKNOWN, "the metrics could not be read")
PAUSED = gate("kill switch", GateResult.STOP, "paused by ada: I look", Outcome.HOLD)
OBSERVED = gate("mode", GateResult.STOP, "system observe", Outcome.OBSERVE)
BEHIND = gate("active rollback", GateResult.STOP, "INC-1 is under way", Outcome.HOLD)
UNCHANGED = gate("cause", GateResult.STOP, "nothing changed since v41", Outcome.ESCALATE)
QUESTION = ApprovalRequest(PLAN, 1, "mode: system ask; barrier: v2 (orders were migrated)", NOW)


def rollback(status: RollbackStatus, outcome: str = "", *gates: dict[str, Any], **fields: Any) -> Rollback:
    """A rollback of automation in that status."""
    times: dict[str, Any] = {"created_at": NOW, "due_at": NEXT, "decide_by": DEADLINE}
    return Rollback(
        **{"id": "INC-2", "incident": "INC-2", "system": "bookshop", "status": status, **times, **fields},
        outcome=outcome,
        gates=gates,
    )


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (rollback(RollbackStatus.DECIDING), "Waiting: nothing is decided yet."),
        (
            rollback(RollbackStatus.DECIDING, "still true: no second source", UNCONFIRMED, CAUSE),
            f"Waiting: no second source; {AGAIN}, people are asked after 12:06:00 UTC.",
        ),
        (
            rollback(
                RollbackStatus.DECIDING,
                "still true: no second source; external cause: the metrics could not be read",
                *(UNCONFIRMED, UNREAD),
            ),
            f"Waiting: no second source; {AGAIN}, people are asked after 12:06:00 UTC.",
        ),
        (
            rollback(
                RollbackStatus.DECIDING, "kill switch: paused by ada: I look", UNCONFIRMED, PAUSED, UNREAD
            ),
            f"Waiting: paused by ada: I look; {AGAIN}, people are asked after 12:06:00 UTC.",
        ),
        (
            rollback(RollbackStatus.DECIDING, "still true: no second source", UNCONFIRMED, OBSERVED),
            f"Waiting: no second source; {AGAIN}.",
        ),
        (
            rollback(RollbackStatus.DECIDING, "active rollback: INC-1 is under way", BEHIND),
            f"Waiting: INC-1 is under way; {AGAIN}.",
        ),
        (
            rollback(RollbackStatus.DECIDING, "the rules could not be read", CAUSE, order=ORDER),
            f"Waiting: the rules could not be read; {AGAIN}.",
        ),
        (
            rollback(RollbackStatus.DECIDING, "still true: no second source", UNCONFIRMED, decide_by=NOW),
            f"Waiting: no second source; {AGAIN}, people are asked after 12:04:30 UTC.",
        ),
        (
            rollback(RollbackStatus.DECIDING, "still true: no second source", UNCONFIRMED, BEHIND),
            f"Waiting: no second source; {AGAIN}.",
        ),
    ],
)
def test_what_waits_says_for_what_and_until_when(state: Rollback, sentence: str) -> None:
    """The gate that decides, the next decision, and when people are asked, if they will be."""
    assert summarize_decision(state) == sentence


@pytest.mark.parametrize(
    ("status", "outcome", "gates"),
    [
        (RollbackStatus.PARKED, QUESTION.reason, (ASK_MODE, CAUSE, BARRIER)),
        (RollbackStatus.DECIDING, QUESTION.reason, (ASK_MODE, CAUSE, BARRIER)),
        (
            RollbackStatus.DECIDING,
            "external cause: the metrics could not be read",
            (ASK_MODE, UNREAD, BARRIER),
        ),
    ],
)
def test_a_question_names_every_reason_that_asks(
    status: RollbackStatus, outcome: str, gates: tuple[dict[str, Any], ...]
) -> None:
    """Whoever approves accepts all of them, also while the open question is decided again."""
    asked = rollback(status, outcome, *gates, question=QUESTION, parked_until=NOW + timedelta(minutes=30))

    reasons = "system ask; v2 (orders were migrated)"
    expiry = "the request expires at 2026-03-02 12:34 UTC"
    assert summarize_decision(asked) == f"Approval required: {reasons}; {expiry}."


def test_an_approved_plan_that_is_paused_waits() -> None:
    """Nobody is asked again about a plan that enough people have approved."""
    word = ApprovalAnswer("bob", NOW, PLAN.fingerprint, "go", "c2", person="bob@example.com")
    held = rollback(
        RollbackStatus.DECIDING,
        "kill switch: paused by ada: I look",
        PAUSED,
        question=QUESTION,
        approvals=(word,),
    )

    assert summarize_decision(held).startswith(f"Waiting: paused by ada: I look; {AGAIN}")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (rollback(RollbackStatus.RUNNING, "", CAUSE), "Rolling back: 2 of 2 changed functions fail."),
        (
            rollback(RollbackStatus.RUNNING, "", CAUSE, held_since=NOW),
            "Rolling back (paused): 2 of 2 changed functions fail.",
        ),
        (rollback(RollbackStatus.RUNNING, "", order=ORDER), "Rolling back: ordered by ada: checkout broken."),
        (rollback(RollbackStatus.RUNNING, "", DECLARED), "Rolling back: it was declared."),
        (rollback(RollbackStatus.WATCHING, "", CAUSE), "Rolled back: 2 of 2 changed functions fail."),
        (
            rollback(RollbackStatus.SUCCEEDED, "no regression during monitoring", CAUSE),
            "Rolled back: no regression during monitoring.",
        ),
        (rollback(RollbackStatus.FAILED, "1 of 8 not done", CAUSE), "Failed: 1 of 8 not done."),
        (
            rollback(RollbackStatus.NOT_TAKEN, "mode: system observe", UNCONFIRMED, OBSERVED),
            "Not rolled back: system observe.",
        ),
        (
            rollback(RollbackStatus.NOT_TAKEN, "cause: nothing changed since v41", OBSERVED, UNCHANGED),
            "Not rolled back: nothing changed since v41.",
        ),
        (
            rollback(RollbackStatus.NOT_TAKEN, "the request for approval expired", ASK_MODE),
            "Not rolled back: the request for approval expired.",
        ),
    ],
)
def test_what_acts_or_has_ended_says_why(state: Rollback, sentence: str) -> None:
    """The cause or the order of what goes on; the outcome of what is over."""
    assert summarize_decision(state) == sentence


def test_an_incident_without_a_rollback_has_no_decision() -> None:
    """Records of rollbacks end before those of incidents."""
    assert summarize_decision(None) == "No rollback is recorded."


def test_an_undo_is_not_called_a_rollback() -> None:
    """It is called by its status."""
    undo = RollbackRequest(command="c1", actor="ada", reason="too early", way=Direction.UNDO)

    assert summarize_decision(rollback(RollbackStatus.RUNNING, order=undo)) == (
        "Running: ordered by ada: too early."
    )
