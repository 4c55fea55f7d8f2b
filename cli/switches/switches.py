"""The switches: what stops automation, and how far it may go."""

from typing import Annotated

import typer

from cli.support.command_sending import Reason, send_command
from cli.support.output import AsJson, System

Everything = Annotated[bool, typer.Option("--all", help="every system")]


def pause(
    reason: Reason,
    system: System = "",
    everything: Everything = False,
    expires: Annotated[str, typer.Option(metavar="WHEN", help="when to be reminded: 2h, or a UTC time")] = "",
    as_json: AsJson = False,
) -> None:
    """Stop everything before its next effect, in one system or in all.

    What is in flight settles. A pause ends by `rollback resume` alone; WHEN only reminds.
    """
    send_command("pause", reason, system, as_json=as_json, everything=everything, expires=expires)


def resume(
    reason: Reason, system: System = "", everything: Everything = False, as_json: AsJson = False
) -> None:
    """Let everything go on."""
    send_command("resume", reason, system, as_json=as_json, everything=everything)


def freeze(
    reason: Reason,
    until: Annotated[str, typer.Option(metavar="TIME", help="its end, ISO 8601, UTC")],
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="its beginning; left out: now")] = "",
    system: System = "",
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Declare a window in which nothing is rolled back but by override."""
    window = {"from": start, "until": until}
    send_command("freeze", reason, system, as_json=as_json, everything=everything, **window)


def unfreeze(
    reason: Reason, system: System = "", everything: Everything = False, as_json: AsJson = False
) -> None:
    """Lift every freeze window, of one system or those over all."""
    send_command("unfreeze", reason, system, as_json=as_json, everything=everything)


def unplan(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Cancel every scheduled rollback."""
    send_command("unplan", reason, system, as_json=as_json)


def breach(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Declare a security breach, and request approval to roll all changes back."""
    send_command("breach", reason, system, as_json=as_json)


def revoke_sessions(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """End the sessions of everybody who has signed in to the application."""
    send_command("revoke-sessions", reason, system, as_json=as_json)


def promote(
    mode: Annotated[str, typer.Argument(metavar="MODE", help="observe, ask or act")],
    reason: Reason,
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Set the automation mode: observe, ask or act."""
    send_command("promote", reason, system, as_json=as_json, mode=mode.lower())
