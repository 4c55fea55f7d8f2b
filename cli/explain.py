"""`rollback explain`: what was seen, what was decided, and what would have had to be different."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from cli.screen import AsJson, at, print_json, printable, say, table
from cli.sending import Incident
from cli.wired import Operations, operations
from shared.audit import Entry
from shared.gate import Answer, Outcome
from shared.incident import Incident as IncidentRecord

DECISIONS = {
    "decision.held": "held: looked again later",
    "rollback.decided": "decided to roll back",
    "rollback.parked": "asked a person",
    "rollback.escalated": "escalated to a person",
    "rollback.not-taken": "decided to do nothing",
}
"""The events that tell of a decision, and what each says."""
SHOWN = 20
NEEDED = {
    "known system": "a system that has a policy",
    "stale": "a notification that arrives soon after it was sent",
    "still true": "routers or a probe that see the trouble as well",
    "mode": "a signal, a scenario and a promotion that all let automation act",
    "kill switch": "no pause, here and everywhere",
    "freeze": "no freeze window now, or one that is lifted in time",
    "active rollback": "no other rollback of the system under way",
    "budget": "fewer automatic rollbacks in the last hour",
    "cool-down": "no rollback lately",
    "external cause": "functions that nobody changed, other systems and dependencies that are well",
    "cause": "a change before the trouble began, of something that fails",
    "barrier": "no deployment in between that nobody may go back past",
    "target": "one stable deployment that can alone be meant",
    "restorable": "every revision of the target, present and ready",
    "human first": "something that fails and is in nobody's hands",
    "blast radius": "a plan of fewer functions",
    "approval": "a scenario that nobody need approve",
}
"""What each gate lets pass."""


class Decision(Struct, frozen=True):
    """One decision, as the audit trail keeps it."""

    at: str
    event: str
    outcome: str
    scenario: str
    target: str
    gates: list[dict[str, Any]]
    prepared_command: str = ""
    prepared_shell: str = ""
    difference: list[dict[str, Any]] = []
    """What the plan changes, or would have changed, function by function."""

    @property
    def in_the_way(self) -> list[dict[str, Any]]:
        """The gates that would have to answer otherwise for a rollback."""
        return [gate for gate in self.gates if gate["answer"] in (Answer.STOP, Answer.UNKNOWN)]


def explain(incident: Incident, as_json: AsJson = False) -> None:
    """Tell of an incident: its alerts, each gate's newest answer, and what else would be needed.

    Every answer is read from the audit trail of its rollbacks, the newest decision of each.
    """
    with operations() as ours:
        record = ours.incident(incident)
        made = _made(ours, record)
        joined = ours.reading.alerts(record.id)
    if as_json:
        print_json({"incident": record, "alerts": joined, "decisions": made})
        return
    say(f"{record.id}  {record.severity}  {record.status}  {record.signal} in {record.system}")
    for alert in joined:
        named = f" of {alert.function}" if alert.function else ""
        why = f"; {alert.joined}" if alert.joined else ""
        say(
            f"  {at(alert.started_at)}  {alert.signal}{named}: {alert.state} ({alert.verdict}){why}"
        )
    for rollback, decision in made.items():
        _show(rollback, decision)
    if not made:
        say("nothing is decided yet")


def _made(ours: Operations, incident: IncidentRecord) -> dict[str, Decision]:
    """The newest decision of each rollback that has one, by the rollback's id."""
    newest = {
        rollback.id: _newest(ours.reading.trail(rollback.id))
        for rollback in ours.reading.rollbacks(incident)
    }
    return {name: decision for name, decision in newest.items() if decision is not None}


def _newest(trail: Iterable[Entry]) -> Decision | None:
    decision = None
    for entry in trail:
        for event in entry.events:
            if event.name in DECISIONS:
                facts = event.facts
                decision = Decision(
                    at=event.at,
                    event=event.name,
                    outcome=facts["outcome"],
                    scenario=facts["scenario"],
                    target=facts["target"],
                    gates=facts["gates"],
                    prepared_command=facts.get("prepared_command", ""),
                    prepared_shell=facts.get("prepared_shell", ""),
                    difference=facts.get("difference", []),
                )
    return decision


def _show(rollback: str, decision: Decision) -> None:
    said = DECISIONS[decision.event]
    target = f", back to {decision.target}" if decision.target else ""
    say("")
    say(f"{rollback}: {said} ({decision.scenario}{target}) at {decision.at}", "bold")
    table(
        ("  gate", "answer", "why"),
        (
            (f"  {gate['gate']}", gate["answer"], printable(gate["reason"]))
            for gate in decision.gates
        ),
    )
    if decision.in_the_way:
        say("for a rollback, this would have had to be different:")
        for gate in decision.in_the_way:
            say(f"  {gate['gate']}: {needed(gate)}; it was: {gate['reason']}")
    _show_plan(decision)
    if decision.prepared_command:
        say("a person does what was prepared by one of:")
        for line in filter(None, (decision.prepared_shell, decision.prepared_command)):
            say(f"  {line}")


def needed(gate: Mapping[str, Any]) -> str:
    """What a gate that is in the way would have had to find, in words."""
    if gate["answer"] == Answer.STOP and gate["leads_to"] == Outcome.ASK:
        return f"{NEEDED[gate['gate']]}, or people who approve"
    return NEEDED[gate["gate"]]


def _show_plan(decision: Decision) -> None:
    if not decision.difference:
        return
    say(f"the plan: {len(decision.difference)} functions")
    for one in decision.difference[:SHOWN]:
        say(f"  {one['function']}: {_shares(one['live'])} → {_shares(one['target'])}")
    if len(decision.difference) > SHOWN:
        say(f"  and {len(decision.difference) - SHOWN} more")


def _shares(revisions: Mapping[str, int]) -> str:
    return " + ".join(
        name if percent == 100 else f"{percent} % {name}" for name, percent in revisions.items()
    )
