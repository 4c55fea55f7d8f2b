"""`rollback explain`: what was observed and decided, and why; `watch`: an incident to its end."""

import typer

from cli.support.command_sending import Incident
from cli.support.context import open_operations
from cli.support.exit_codes import REFUSED
from cli.support.incident_follower import follow_incident
from cli.support.output import AsJson, format_time, print_json, print_line, print_plan, print_table
from cli.support.response_time import incident_line, last_change_line
from shared.core.text import count_noun
from shared.domain.decision.decision_summary import summarize_decision
from shared.domain.decision.recorded_decision import RecordedDecision, gate_requirement
from shared.domain.presentation.html_templates import format_moment
from shared.domain.signals.labels import signal_label
from shared.state.system_status import read_hold


def explain(incident: Incident, as_json: AsJson = False) -> None:
    """Explain why the system did or did not roll back: alerts, results of gates, what is missing.

    Every answer is read from the audit trail of its rollbacks, the newest decision of each.
    """
    with open_operations() as ours:
        record = ours.incident(incident)
        every = ours.reading.rollbacks(record)
        made = ours.reading.decisions(every)
        joined = ours.reading.alerts(record.id)
        newest = every[-1] if every else None
        hold = read_hold(ours.reading, newest, ours.wiring.clock.now())
    why = summarize_decision(newest)
    if as_json:
        print_json({"incident": record, "why": why, "alerts": joined, "decisions": made})
        return
    print_line(why, "bold")
    print_line(f"{incident_line(record)} in {record.system}")
    for line in filter(None, (last_change_line(record), hold)):
        print_line(f"  {line}")
    for alert in joined:
        named = f" of {alert.function}" if alert.function else ""
        why = f"; {alert.joined}" if alert.joined else ""
        verdict = f" ({alert.verdict})" if alert.verdict != alert.state else ""
        said = f"{signal_label(alert.signal)}{named}: {alert.state}{verdict}{why}"
        print_line(f"  {format_time(alert.started_at)}  {said}")
    if record.acknowledged_by:
        print_line(f"  acknowledged by {record.acknowledged_by} at {format_time(record.acknowledged_at)} UTC")
    for rollback in every:
        for line in filter(None, (*rollback.commands, "" if rollback is newest else rollback.outcome)):
            print_line(f"  {rollback.id}: {line}")
    for name, decision in made.items():
        _show_decision(name, decision)


def _show_decision(rollback: str, decision: RecordedDecision) -> None:
    target = f", back to {decision.target}" if decision.target else ""
    print_line("")
    print_line(
        f"{rollback}: decided at {format_moment(decision.at)} UTC ({decision.scenario}{target})", "bold"
    )
    print_table(
        ("  gate", "answer", "why", "needed"),
        (
            (f"  {gate['gate']}", gate["answer"], gate["reason"], gate_requirement(gate))
            for gate in decision.gates
        ),
    )
    if decision.difference:
        print_line(f"the plan: {count_noun(len(decision.difference), 'function')}")
    print_plan(decision.difference, (*decision.resources, *decision.reported))
    if decision.prepared_command:
        print_line("to execute the prepared plan, run one of:")
        for line in filter(None, (decision.prepared_shell, decision.prepared_command)):
            print_line(f"  {line}")


def watch(incident: Incident, as_json: AsJson = False) -> None:
    """Follow an incident with its progress beside the targets, until its rollback has ended.

    Ctrl-C stops following, with exit code 130; the rollback goes on.

    Exit code 0 when it succeeded, or nothing had to be done; 1 when it failed, was cancelled, or
    was left to a person.
    """
    with open_operations() as ours:
        seen = follow_incident(ours, incident, quietly=as_json)
    if as_json:
        print_json(seen)
    if not seen.is_successful:
        raise typer.Exit(REFUSED)
