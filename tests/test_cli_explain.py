"""What `rollback explain` says of gates."""

from __future__ import annotations

import pytest

from shared.decisions import NEEDED, needed
from shared.gate import Answer, Outcome
from shared.gates import ASKS_FIRST
from tests.test_gate_pairs import ORDER


def test_each_gate_has_words() -> None:
    """What would have had to be different is said of every gate there is."""
    assert list(NEEDED) == [*ORDER, ASKS_FIRST]


@pytest.mark.parametrize(
    ("answer", "leads_to", "approval"),
    [
        (Answer.STOP, Outcome.ASK, True),
        (Answer.STOP, Outcome.ESCALATE, False),
        (Answer.UNKNOWN, Outcome.ROLLBACK, False),
    ],
)
def test_what_asks_can_be_approved(answer: Answer, leads_to: Outcome, approval: bool) -> None:
    """Approval is offered for a question alone."""
    said = needed({"gate": "barrier", "answer": answer, "leads_to": leads_to, "reason": "any"})

    assert said.startswith(NEEDED["barrier"])
    assert said.endswith("or people who approve") is approval
