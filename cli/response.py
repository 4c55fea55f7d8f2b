"""The response to an incident in lines: its time running, who has it, who is called next."""

from __future__ import annotations

from datetime import datetime

from cli.screen import at, lasting
from shared.response import Response


def told(response: Response, incident: str, now: datetime) -> list[tuple[str, str]]:
    """The response in lines for people, each with its style."""
    lines = [_time(response, now)] if response.respond_by else []
    if response.acknowledged_by:
        since = at(response.acknowledged_at)
        lines.append((f"{response.acknowledged_by} has it in hand since {since} UTC", ""))
    elif response.restored_at is None or response.next_call is not None:
        lines.append(
            (f"nobody has acknowledged it: rollback ack {incident} --reason WHY", "yellow")
        )
    if (call := response.next_call) is not None:
        when = f"in {lasting(call.at - now)}" if call.at > now else "now"
        channels = ", ".join(call.channels)
        line = f"next on call: {call.called} ({channels}) {when}, at {at(call.at)} UTC"
        lines.append((line, "yellow"))
    return lines


def _time(response: Response, now: datetime) -> tuple[str, str]:
    """The response time: running, kept or breached."""
    by = response.respond_by or now
    restored = response.restored_at
    spent = lasting(abs(by - (restored or now)))
    if response.is_breached:
        late = f"restored {spent} late" if restored else f"breached {spent} ago"
        return f"response time: {late}, it was to be by {at(by)} UTC", "bold red"
    left = f"restored with {spent} to spare" if restored else f"{spent} left"
    return f"response time: {left}, to be restored by {at(by)} UTC", "green" if restored else ""
