"""An incident in lines: its response time, who has it, who is called next, what one may say."""

from collections.abc import Iterable
from datetime import datetime

from cli.support.output import format_lasting, format_time, print_line
from shared.domain.incidents.incident import Incident
from shared.domain.incidents.recovery_times import RecoveryTimes, recovery_lines
from shared.domain.incidents.response_status import ResponseStatus
from shared.domain.signals.labels import signal_label, status_label


def incident_line(incident: Incident) -> str:
    """Return what an incident is, in one line."""
    status, signal = status_label(incident.status), signal_label(incident.signal)
    return f"{incident.id}  {incident.severity}  {status}  {signal}"


def last_change_line(incident: Incident) -> str:
    """Return since when an incident is in its status, and why."""
    last = incident.newest_turn
    return f"{status_label(last.status)} since {format_time(last.at)} UTC: {last.note}"


def response_lines(
    response: ResponseStatus, times: RecoveryTimes, incident: str, now: datetime
) -> list[tuple[str, str]]:
    """Return the times and the response in lines for people, each with its style."""
    style = "bold red" if response.is_breached else "green" if times.recovered_at else ""
    lines = [(line, style) for line in recovery_lines(times, now)]
    if response.acknowledged_by:
        since = format_time(response.acknowledged_at)
        lines.append((f"acknowledged by {response.acknowledged_by} at {since} UTC", ""))
    elif times.ended_at is None and (response.recovered_at is None or response.next_call is not None):
        lines.append((f"nobody has acknowledged it: rollback ack {incident} --reason WHY", "yellow"))
    if (call := response.next_call) is not None:
        when = f"in {format_lasting(call.at - now)}" if call.at > now else "now"
        channels = ", ".join(call.channels)
        line = f"next on call: {call.called} ({channels}) {when}, at {format_time(call.at)} UTC"
        lines.append((line, "yellow"))
    lines += [(line, "") for line in response.commands]
    return [*lines, (response.hold, "bold yellow")] if response.hold else lines


def prompt_lines(incident: str, verbs: Iterable[str]) -> list[str]:
    """Return the command of each verb, but `ack`: it changes who is called, not the incident."""
    return [f"rollback {verb} {incident} --reason WHY" for verb in verbs if verb != "ack"]


def show_choices(incident: str, verbs: Iterable[str]) -> None:
    """Print the available commands, if there are any."""
    lines = prompt_lines(incident, verbs)
    if lines:
        print_line("  available commands:")
    for line in lines:
        print_line(f"    {line}")
