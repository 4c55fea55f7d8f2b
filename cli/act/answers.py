"""The answers of a person to an incident: each sends one command and prints the result."""

from typing import Annotated, Any

import typer

from cli.support.command_sending import Incident, Reason, conclude_command, require_sender, send, send_command
from cli.support.confirmation import Yes
from cli.support.context import open_operations
from cli.support.exit_codes import INVALID_USAGE, REFUSED, create_exit, exit_on
from cli.support.output import AsJson, System, print_json, print_line, print_plan
from cli.support.parameters import argument, option
from shared.core.errors import Refused
from shared.state.open_question import read_open_question


def approve(
    incident: Incident,
    reason: Reason,
    plan: Annotated[str, option("FINGERPRINT", "approve the plan with this fingerprint")] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Approve the plan that waits for approval. Shows the whole plan, then asks.

    --plan and --yes skip the confirmation. No other plan is approved.
    """
    with open_operations() as ours, exit_on(Refused, REFUSED, "refused: "):
        asked = read_open_question(ours.reading, ours.incident(incident), ours.wiring.clock.now())
    if as_json:
        print_json(asked, err=True)
    else:
        for line in asked.summary:
            print_line(line)
        print_plan(asked.functions, asked.lines)
        print_line(f"plan {asked.plan}")
    require_sender()
    if not (plan or yes) and not typer.confirm("Approve this plan?", err=as_json):
        raise create_exit(REFUSED, "nothing was done")
    _send_answer("approve", incident, reason, as_json, plan=plan or asked.plan)


def reject(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """Reject the plan that waits for approval; nothing changes and the incident stays open."""
    _send_answer("reject", incident, reason, as_json)


def cancel(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """Stop the rollback in progress and keep what it has done; unfinished parts are listed."""
    _send_answer("cancel", incident, reason, as_json)


def accept(incident: Incident, reason: Reason, as_json: AsJson = False) -> None:
    """End an incident as it is; no rollback may be in progress."""
    _send_answer("accept", incident, reason, as_json)


def ack(incident: Incident, reason: Reason = "on it", as_json: AsJson = False) -> None:
    """Acknowledge the incident and stop the escalation."""
    _send_answer("ack", incident, reason, as_json)


def publish(
    incident: Incident,
    reason: Reason,
    message: Annotated[str, option("FINGERPRINT", "approve the message to users with this fingerprint")] = "",
    as_json: AsJson = False,
) -> None:
    """Show an incident on the status page now, or send users a message that waits for approval."""
    _send_answer("publish", incident, reason, as_json, plan=message)


def root_cause(
    incident: Incident,
    cause: Annotated[str, argument("TEXT", "the cause of the incident")],
    prevention: Annotated[str, option("TEXT", "how you prevent it from now on")] = "",
    public: Annotated[str, option("TEXT", "text for the status page; default: none")] = "",
    reason: Reason = "analysed",
    as_json: AsJson = False,
) -> None:
    """Record the cause of an incident for its report, and stop the reminders."""
    _send_answer("root-cause", incident, reason, as_json, cause=cause, prevention=prevention, public=public)


def mark(
    incident: Incident,
    verdict: Annotated[str, argument("VERDICT", "right or wrong")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Mark whether a rollback was the right answer to an incident, for `backtest`.

    After `wrong`, automation asks about the signals of the incident until the next `promote`.
    """
    _send_answer("mark", incident, reason, as_json, verdict=verdict)


AnIncident = Annotated[str, argument("INCIDENT", "its public id, INC-…; or --backup")]
ABackup = Annotated[str, option("ID", "an export instead of an incident", "--backup")]


def hold(
    reason: Reason,
    incident: AnIncident = "",
    backup: ABackup = "",
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Protect an incident and its records, or an export, from deletion until it is released."""
    _describe_hold("hold", incident, backup, system, reason, as_json)


def release(
    reason: Reason,
    incident: AnIncident = "",
    backup: ABackup = "",
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """End a hold: an incident then expires after 30 days, an export at its usual time."""
    _describe_hold("release", incident, backup, system, reason, as_json)


def _describe_hold(verb: str, incident: str, backup: str, system: str, reason: str, as_json: bool) -> None:
    if bool(incident) is bool(backup):
        raise create_exit(INVALID_USAGE, f"{verb}: name an incident, or an export (--backup)")
    if incident:
        _send_answer(verb, incident, reason, as_json)
    else:
        send_command(verb, reason, system, as_json, backup=backup)


def _send_answer(verb: str, incident: str, reason: str, as_json: bool, **more: Any) -> None:
    with open_operations() as ours:
        about = {"system": ours.incident(incident).system, "incident": incident}
        answer = send(ours, {"command": verb, **about, "reason": reason, **more})
    conclude_command(answer, as_json)
