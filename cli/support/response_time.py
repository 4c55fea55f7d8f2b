"""An incident in lines: its response time, who has it, who is called next, what one may say."""

from __future__ import annotations

from datetime import datetime

from cli.support.output import format_lasting, format_time, print_line
from shared.domain.incidents.incident import Incident
from shared.domain.incidents.next_actions import available_verbs
from shared.domain.incidents.response_status import ResponseStatus
from shared.domain.rollback.rollback import Rollback


def response_lines(response: ResponseStatus, incident: str, now: datetime) -> list[tuple[str, str]]:
    """The response in lines for people, each with its style."""
    lines = [_time(response, now)] if response.respond_by else []
    if response.acknowledged_by:
        since = format_time(response.acknowledged_at)
        lines.append((f"acknowledged by {response.acknowledged_by} at {since} UTC", ""))
    elif response.restored_at is None or response.next_call is not None:
        lines.append((f"nobody has acknowledged it: rollback ack {incident} --reason WHY", "yellow"))
    if (call := response.next_call) is not None:
        when = f"in {format_lasting(call.at - now)}" if call.at > now else "now"
        channels = ", ".join(call.channels)
        line = f"next on call: {call.called} ({channels}) {when}, at {format_time(call.at)} UTC"
        lines.append((line, "yellow"))
    lines += [(line, "") for line in response.commands]
    return [*lines, (response.hold, "bold yellow")] if response.hold else lines


def _time(response: ResponseStatus, now: datetime) -> tuple[str, str]:
    """The response time: running, kept or breached."""
    by = response.respond_by or now
    restored = response.restored_at
    spent = format_lasting(abs(by - (restored or now)))
    if response.is_breached:
        late = f"restored {spent} late" if restored else f"breached {spent} ago"
        return f"response time: {late}, it was to be by {format_time(by)} UTC", "bold red"
    left = f"restored with {spent} to spare" if restored else f"{spent} left"
    return f"response time: {left}, to be restored by {format_time(by)} UTC", "green" if restored else ""


def prompt_lines(incident: Incident, rollback: Rollback | None) -> list[str]:
    """Each verb that does something about the incident; a rollback that failed has its ends alone.

    `ack` is not among them: it changes who is called, not what becomes of the incident.
    """
    return [
        f"rollback {verb} {incident.id} --reason WHY"
        for verb in available_verbs(incident, rollback)
        if verb != "ack"
    ]


def show_choices(incident: Incident, rollback: Rollback | None) -> None:
    """Print them; nothing where nothing is to be said any more."""
    lines = prompt_lines(incident, rollback)
    if lines:
        print_line("  what a person may say:")
    for line in lines:
        print_line(f"    {line}")
