"""What `rollback explain` says of gates."""

import pytest

from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.decision.gates.registry import GATES
from shared.domain.decision.recorded_decision import RecordedDecision, gate_requirement
from tests.support.decision.gate_levels import ORDER


def test_what_would_have_had_to_be_different() -> None:
    """Every stop and all that was not known; what passes, or asks nothing, is in nobody's way."""
    answers = [(one, answer) for one, answer in zip(ORDER, [*GateResult] * 2, strict=False)]
    gates = [{"gate": gate, "answer": answer.value, "reason": "any"} for gate, answer in answers]
    decision = RecordedDecision("12:00", "decision.held", "hold", "functions", "v1", gates, "any")

    stopped = {one["gate"] for one in decision.blocking_gates}

    assert stopped == {gate for gate, answer in answers if answer in (GateResult.STOP, GateResult.UNKNOWN)}
    assert len(stopped) == 4


@pytest.mark.parametrize(
    ("answer", "leads_to", "approval"),
    [
        (GateResult.STOP, Outcome.ASK, True),
        (GateResult.STOP, Outcome.ESCALATE, False),
        (GateResult.UNKNOWN, Outcome.ROLLBACK, False),
    ],
)
def test_what_asks_can_be_approved(answer: GateResult, leads_to: Outcome, approval: bool) -> None:
    """Approval is offered for a question alone."""
    said = gate_requirement({"gate": "barrier", "answer": answer, "leads_to": leads_to, "reason": "any"})

    assert said.startswith(GATES["barrier"].needed)
    assert said.endswith("or people who approve") is approval
