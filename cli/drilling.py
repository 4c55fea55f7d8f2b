"""`rollback drill`: a plan is made and dry-run by the responders, timed and recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.screen import AsJson, System
from cli.sending import Reason, conclude, send
from cli.wired import operations


def drill(
    reason: Reason,
    system: System = "",
    group: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="only this group; may be repeated")
    ] = None,
    function: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="only this function; may be repeated")
    ] = None,
    target: Annotated[
        str, typer.Option(metavar="DEPLOYMENT", help="where to go back to")
    ] = "last-stable",
    scenario: Annotated[str, typer.Option(help="which way back")] = "functions",
    as_json: AsJson = False,
) -> None:
    """Rehearse a rollback: nothing is changed, and what was found is told and kept.

    A promotion to act may need drills whose gates agree (`drills_before_act` in the policy).
    """
    with operations() as ours:
        content = {
            "command": "drill",
            "system": ours.policy(system).system,
            "scenario": scenario,
            "target": target,
            "groups": group or [],
            "functions": function or [],
            "reason": reason,
        }
        answer = send(ours, content)
    conclude(answer, as_json=as_json)
