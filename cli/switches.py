"""The switches: what stops automation, and how far it may go."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.screen import AsJson, System
from cli.sending import Reason, conclude, send
from cli.wired import UNUSABLE, Operations, leaving, operations

Everything = Annotated[bool, typer.Option("--all", help="every system")]


def pause(
    reason: Reason,
    system: System = "",
    everything: Everything = False,
    expires: Annotated[
        str, typer.Option(metavar="WHEN", help="when to be reminded: 2h, or a UTC time")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Stop everything before its next effect, in one system or in all.

    What is in flight settles. A pause ends by `rollback resume` alone; WHEN only reminds.
    """
    _switch("pause", reason, system, everything, as_json, expires=expires)


def resume(
    reason: Reason, system: System = "", everything: Everything = False, as_json: AsJson = False
) -> None:
    """Let everything go on."""
    _switch("resume", reason, system, everything, as_json)


def freeze(
    reason: Reason,
    until: Annotated[str, typer.Option(metavar="TIME", help="its end, ISO 8601, UTC")],
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="its beginning; left out: now")
    ] = "",
    system: System = "",
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Declare a window in which nothing is rolled back but by override."""
    _switch("freeze", reason, system, everything, as_json, until=until, **{"from": start})


def unfreeze(
    reason: Reason, system: System = "", everything: Everything = False, as_json: AsJson = False
) -> None:
    """Lift every freeze window, of one system or those over all."""
    _switch("unfreeze", reason, system, everything, as_json)


def unplan(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Call off every rollback that is planned for a later time."""
    _switch("unplan", reason, system, False, as_json)


def breach(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Declare a security breach: people are asked about the plan that takes all changes back."""
    _switch("breach", reason, system, False, as_json)


def revoke_sessions(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """End the sessions of everybody who has signed in to the application."""
    _switch("revoke-sessions", reason, system, False, as_json)


def promote(
    mode: Annotated[str, typer.Argument(metavar="MODE", help="observe, ask or act")],
    reason: Reason,
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """Set how far automation may go by itself: observe, ask or act."""
    _switch("promote", reason, system, False, as_json, mode=mode.lower())


def _switch(
    verb: str, reason: str, system: str, everything: bool, as_json: bool, **more: Any
) -> None:
    with operations() as ours:
        named = _named(ours, system, everything=everything)
        answer = send(ours, {"command": verb, "system": named, "reason": reason, **more})
    conclude(answer, as_json=as_json)


def _named(ours: Operations, system: str, *, everything: bool) -> str:
    """The system that is meant; "" means all of them."""
    if everything and system:
        raise leaving(UNUSABLE, "either --system or --all")
    return "" if everything else ours.policy(system).system
