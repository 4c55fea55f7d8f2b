"""What each gate prevents: without that gate alone, the decision is another one."""

from unittest.mock import patch

import pytest
from msgspec import Struct

from shared.domain.decision import gate_evaluation
from shared.domain.decision.gate_evaluation import (
    Decision,
    Permission,
    evaluate_incident,
    evaluate_request,
    evaluate_reversal,
)
from shared.domain.decision.gates.base import Gate, Outcome
from shared.domain.decision.gates.registry import GATES, RequestKind, gates_for
from shared.domain.decision.rebuild_selection import change_since_stable
from tests.support.decision.gate_facts import MINUTE, NOW
from tests.support.decision.gate_levels import LEVELS, compose_levels

ALERT, MANUAL, UNDO = RequestKind.ALERT, RequestKind.MANUAL, RequestKind.UNDO
SITUATIONS = {str(level): level for level in LEVELS}
REGISTERED = [
    (gate, request) for gate, entry in GATES.items() for request in RequestKind if request in entry.requests
]
"""Each gate with each kind of request that it is evaluated for."""


class Case(Struct, frozen=True):
    """A situation in which one gate decides, and the outcome with and without that gate."""

    gate: str
    requests: RequestKind
    situation: str
    outcome: Outcome
    outcome_without: Outcome = Outcome.ROLLBACK


CASES = (
    Case("stale", ALERT, "stale: a second too old", Outcome.IGNORE),
    Case("still true", ALERT, "still true: only the source that raised it", Outcome.HOLD),
    Case("mode", ALERT, "mode: observes", Outcome.OBSERVE),
    Case("kill switch", ALERT | MANUAL | UNDO, "kill switch: paused", Outcome.HOLD),
    Case("freeze", ALERT | MANUAL | UNDO, "freeze: for a second more", Outcome.HOLD),
    Case("active rollback", ALERT | MANUAL | UNDO, "active rollback: another", Outcome.HOLD),
    Case("budget", ALERT, "budget: three in the hour", Outcome.ESCALATE),
    Case("cool-down", ALERT, "cool-down: for a second more", Outcome.ESCALATE),
    Case("external cause", ALERT, "external cause: half as many unchanged ones fail", Outcome.ESCALATE),
    Case("cause", ALERT, "cause: changed a second after the onset", Outcome.ESCALATE),
    Case("barrier", ALERT | MANUAL, "barrier: between", Outcome.ASK),
    Case("target", ALERT, "target: none is stable", Outcome.ESCALATE),
    Case("target", MANUAL, "target: none is stable", Outcome.ESCALATE, Outcome.IGNORE),
    Case("restorable", ALERT | MANUAL, "restorable: a changed one is not ready", Outcome.ESCALATE),
    Case("restorable", UNDO, "cause: what is live is silent", Outcome.HOLD),
    Case("human first", ALERT, "human first: for a second more", Outcome.ESCALATE),
    Case("approval", ALERT | MANUAL, "approval: asks", Outcome.ASK),
)


def evaluate(request: RequestKind, situation: str) -> Decision | Permission:
    """Evaluate all gates of a kind of request in a situation."""
    facts, policy = compose_levels(SITUATIONS[situation])
    deadline = NOW + MINUTE
    if request is ALERT:
        return evaluate_incident(facts, policy, deadline, NOW, "INC")
    if request is UNDO:
        return evaluate_reversal(facts, policy, deadline, NOW, "INC")
    change = change_since_stable(facts, policy)
    return evaluate_request(facts, policy, change, deadline, NOW, "INC")


def evaluate_without(gate: str, request: RequestKind, situation: str) -> Decision | Permission:
    """Evaluate all gates but this one."""

    def select_other_gates(kind: RequestKind, *, override: bool = False) -> list[Gate]:
        return [other for other in gates_for(kind, override=override) if other is not GATES[gate].gate]

    with patch.object(gate_evaluation, "gates_for", select_other_gates):
        return evaluate(request, situation)


@pytest.mark.parametrize(("gate", "request_kind"), REGISTERED)
def test_without_this_gate_alone_the_decision_is_another_one(gate: str, request_kind: RequestKind) -> None:
    """Each gate needs a case for each kind of request; a gate without a case may be redundant."""
    cases = [case for case in CASES if case.gate == gate and request_kind in case.requests]
    assert cases, f"no case shows what the gate {gate!r} prevents for {request_kind.name}"

    for case in cases:
        decision = evaluate(request_kind, case.situation)
        decision_without = evaluate_without(gate, request_kind, case.situation)

        assert (decision.outcome, decision_without.outcome) == (case.outcome, case.outcome_without)
        names, names_without = (
            [answer.gate for answer in evaluated.answers] for evaluated in (decision, decision_without)
        )
        assert names_without == [name for name in names if name != gate]
        assert gate in names


def test_each_case_changes_the_decision() -> None:
    """Each case names a registered gate and request, and expects two different outcomes."""
    listed = {(case.gate, request) for case in CASES for request in RequestKind if request in case.requests}

    assert listed == {*REGISTERED}
    assert all(case.outcome is not case.outcome_without for case in CASES)
