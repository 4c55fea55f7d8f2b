"""What was decided of an incident, as the trail keeps it, and what each gate lets pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from shared.domain.audit.chain import AuditEntry
from shared.domain.decision.gate_evaluation import APPROVAL_REQUIRED_GATE
from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.decision.gates.registry import GATES
from shared.domain.rollback.rollback import Rollback


def suspected_cause(rollback: Rollback | None) -> str:
    """What the newest decision took for the cause; empty: it took nothing for it."""
    for gate in rollback.gates if rollback else ():
        if gate.get("gate") == "cause" and gate.get("answer") == GateResult.PASS:
            return str(gate["reason"])
    return ""


DECISION_LABELS = {
    "decision.held": "held: looked again later",
    "rollback.decided": "decided to roll back",
    "rollback.parked": "asked a person",
    "rollback.escalated": "escalated to a person",
    "rollback.not-taken": "decided to do nothing",
}
"""The events that tell of a decision, and what each says."""
NEEDED_UNASKED = "something to bring back that nobody need be asked about"
"""What `ASKS_FIRST` lets pass."""


class RecordedDecision(Struct, frozen=True):
    """One decision, as the audit trail keeps it."""

    at: str
    event: str
    outcome: str
    scenario: str
    target: str
    gates: list[dict[str, Any]]
    note: str
    """Why, in one line for people."""
    prepared_command: str = ""
    prepared_shell: str = ""
    difference: list[dict[str, Any]] = []
    """What the plan changes, or would have changed, function by function."""
    reported: list[str] = []
    """What else is said of the plan, line by line."""

    @property
    def blocking_gates(self) -> list[dict[str, Any]]:
        """The gates that would have to answer otherwise for a rollback."""
        return [gate for gate in self.gates if gate["answer"] in (GateResult.STOP, GateResult.UNKNOWN)]

    @property
    def label(self) -> str:
        """What became of it, in words."""
        return DECISION_LABELS[self.event]


def newest_decision(trail: Iterable[AuditEntry]) -> RecordedDecision | None:
    """The newest decision of a rollback's trail; None: there was none yet."""
    decision = None
    for entry in trail:
        for event in entry.events:
            if event.name in DECISION_LABELS:
                facts = event.facts
                decision = RecordedDecision(
                    at=event.at,
                    event=event.name,
                    outcome=facts["outcome"],
                    scenario=facts["scenario"],
                    target=facts["target"],
                    gates=facts["gates"],
                    note=facts["note"],
                    prepared_command=facts.get("prepared_command", ""),
                    prepared_shell=facts.get("prepared_shell", ""),
                    difference=facts.get("difference", []),
                    reported=facts.get("reported", []),
                )
    return decision


def gate_requirement(gate: Mapping[str, Any]) -> str:
    """What a gate that is in the way would have had to find, in words."""
    name = gate["gate"]
    found = NEEDED_UNASKED if name == APPROVAL_REQUIRED_GATE else GATES[name].needed
    is_question = gate["answer"] == GateResult.STOP and gate["leads_to"] == Outcome.ASK
    return f"{found}, or people who approve" if is_question else found


def describe_shares(revisions: Mapping[str, int]) -> str:
    """Percent per revision in words: `a`, or `90 % a + 10 % b`."""
    return " + ".join(
        name if percent == 100 else f"{percent} % {name}" for name, percent in revisions.items()
    )
