"""What was decided of an incident, as the trail keeps it, and what each gate lets pass."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from shared.core.codec import FrozenStruct, from_builtins
from shared.domain.audit.chain import AuditEntry
from shared.domain.decision.facts import FunctionDifference
from shared.domain.decision.forecast import DurationForecast
from shared.domain.decision.gate_evaluation import APPROVAL_REQUIRED_GATE
from shared.domain.decision.gates.base import GateResult, Outcome
from shared.domain.decision.gates.registry import GATES
from shared.domain.rollback.rollback import Rollback


def suspected_cause(rollbacks: Sequence[Rollback]) -> str:
    """Return the newest cause that one of an incident's rollbacks suspected; empty: none did."""
    for gate in chain.from_iterable(one.gates for one in reversed(rollbacks)):
        if gate.get("gate") == "cause" and gate.get("answer") == GateResult.PASS:
            return str(gate["reason"])
    return ""


class RecordedDecision(FrozenStruct):
    """One decision, as the audit trail keeps it."""

    at: str
    outcome: str
    scenario: str
    target: str
    gates: list[dict[str, Any]]
    note: str
    """Why, in one line for people."""
    prepared_command: str = ""
    prepared_shell: str = ""
    difference: list[FunctionDifference] = []
    """What the plan changes, or would have changed, function by function."""
    reported: list[str] = []
    """What else is said of the plan, line by line."""
    resources: list[str] = []
    """The same of what is beside the functions, line by line."""
    plan: str = ""
    """The fingerprint of the plan; empty: there is none."""
    duration: DurationForecast | None = None
    """What was to be expected of the plan when people were asked about it."""


def newest_decision(trail: Iterable[AuditEntry], plan: str = "") -> RecordedDecision | None:
    """Return the newest decision in the trail, of one plan if it is named; None without any.

    An event with the results of gates records a decision.
    """
    decision = None
    for entry in trail:
        for event in entry.events:
            if "gates" in event.facts and plan in ("", event.facts.get("plan")):
                decision = from_builtins({**event.facts, "at": event.at}, RecordedDecision)
    return decision


def gate_requirement(gate: Mapping[str, Any]) -> str:
    """Return what a gate needs that prevents a rollback; empty: it does not."""
    if gate["answer"] not in (GateResult.STOP, GateResult.UNKNOWN):
        return ""
    name = gate["gate"]
    needed = "a plan that needs no approval" if name == APPROVAL_REQUIRED_GATE else GATES[name].needed
    return f"{needed}, or people who approve" if gate["leads_to"] == Outcome.ASK else needed
