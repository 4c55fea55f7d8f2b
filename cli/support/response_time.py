"""An incident in lines: its response time, who has it, who is called next, what one may say."""

from datetime import datetime

from cli.support.output import format_lasting, format_time, print_line
from shared.domain.incidents.incident import Incident
from shared.domain.incidents.next_actions import available_verbs
from shared.domain.incidents.recovery_times import RecoveryTimes, recovery_lines
from shared.domain.incidents.response_status import EscalationStep, ResponseStatus
from shared.domain.rollback.rollback import Rollback

StyledLine = tuple[str, str]
"""A line for people, and its style."""


def response_lines(
    response: ResponseStatus, times: RecoveryTimes, incident: str, now: datetime
) -> list[StyledLine]:
    """Return the times and the response in lines for people, each with its style."""
    return [line for _, lines in response_sections(response, times, incident, now) for line in lines]


def response_sections(
    response: ResponseStatus, times: RecoveryTimes, incident: str, now: datetime
) -> list[tuple[object, list[StyledLine]]]:
    """Return the same lines in sections, each behind the facts that it reports without the time."""
    style = "bold red" if response.is_breached else "green" if times.recovered_at else ""
    owner, call = "", response.next_call
    if response.acknowledged_by:
        since = format_time(response.acknowledged_at)
        owner = f"acknowledged by {response.acknowledged_by} at {since} UTC"
    elif times.ended_at is None and (response.recovered_at is None or call is not None):
        owner = f"nobody has acknowledged it: rollback ack {incident} --reason WHY"
    reached = times.traffic_restored_at, times.recovered_at, response.is_breached
    return [
        (reached, [(line, style) for line in recovery_lines(times, now)]),
        (owner, [(owner, "" if response.acknowledged_by else "yellow")] if owner else []),
        (call and (call.rung, call.called), [_next_call_line(call, now)] if call else []),
        (response.commands, [(line, "") for line in response.commands]),
        (response.hold, [(response.hold, "bold yellow")] if response.hold else []),
    ]


def _next_call_line(call: EscalationStep, now: datetime) -> StyledLine:
    when = f"in {format_lasting(call.at - now)}" if call.at > now else "now"
    channels = ", ".join(call.channels)
    return f"next on call: {call.called} ({channels}) {when}, at {format_time(call.at)} UTC", "yellow"


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
