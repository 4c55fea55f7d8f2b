"""`rollback explain`: what was seen, what was decided, and what would have had to be different."""

from __future__ import annotations

from cli.support.command_sending import Incident
from cli.support.context import Operations, operations
from cli.support.output import AsJson, at, print_json, printable, say, table
from shared.domain.decision.recorded_decision import (
    RecordedDecision,
    describe_shares,
    gate_requirement,
    newest_decision,
)
from shared.domain.incidents.incident import Incident as IncidentRecord

SHOWN = 20


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
        say(f"  {at(alert.started_at)}  {alert.signal}{named}: {alert.state} ({alert.verdict}){why}")
    for rollback, decision in made.items():
        _show(rollback, decision)
    if not made:
        say("nothing is decided yet")


def _made(ours: Operations, incident: IncidentRecord) -> dict[str, RecordedDecision]:
    """The newest decision of each rollback that has one, by the rollback's id."""
    found = {
        rollback.id: newest_decision(ours.reading.audit_entries(rollback.id))
        for rollback in ours.reading.rollbacks(incident)
    }
    return {name: decision for name, decision in found.items() if decision is not None}


def _show(rollback: str, decision: RecordedDecision) -> None:
    target = f", back to {decision.target}" if decision.target else ""
    say("")
    say(f"{rollback}: {decision.label} ({decision.scenario}{target}) at {decision.at}", "bold")
    say(f"  {printable(decision.note)}")
    table(
        ("  gate", "answer", "why"),
        ((f"  {gate['gate']}", gate["answer"], printable(gate["reason"])) for gate in decision.gates),
    )
    if decision.blocking_gates:
        say("for a rollback, this would have had to be different:")
        for gate in decision.blocking_gates:
            say(f"  {gate['gate']}: {gate_requirement(gate)}; it was: {gate['reason']}")
    _show_plan(decision)
    if decision.prepared_command:
        say("a person does what was prepared by one of:")
        for line in filter(None, (decision.prepared_shell, decision.prepared_command)):
            say(f"  {line}")


def _show_plan(decision: RecordedDecision) -> None:
    if decision.difference:
        say(f"the plan: {len(decision.difference)} functions")
    elif decision.reported:
        say("the plan:")
    for one in decision.difference[:SHOWN]:
        live, target = describe_shares(one["live"]), describe_shares(one["target"])
        say(f"  {one['function']}: {live} → {target}")
    if len(decision.difference) > SHOWN:
        say(f"  and {len(decision.difference) - SHOWN} more")
    for line in decision.reported:
        say(f"  {printable(line)}")
