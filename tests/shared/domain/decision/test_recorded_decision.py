"""What `rollback explain` says of gates."""

import pytest

from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.decision.gates.registry import GATES
from shared.domain.decision.recorded_decision import gate_requirement
from tests.support.decision.gate_levels import ORDER


def test_what_would_have_had_to_be_different() -> None:
    """A gate that stops or is unknown has a need; a gate that passes or does not apply has none."""
    needs = {
        answer: gate_requirement({"gate": gate, "answer": answer.value, "leads_to": "hold"})
        for gate, answer in zip(ORDER, GateResult, strict=False)
    }

    assert {answer for answer, need in needs.items() if need} == {GateResult.STOP, GateResult.UNKNOWN}


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
