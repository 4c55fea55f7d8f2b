"""`rollback fence`, `lift-fence`: what writes is stopped for a while."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.ordering import Yes
from cli.screen import AsJson, System, say
from cli.sending import Reason, conclude, require_sender, send
from cli.wired import NO, leaving, operations


def fence(
    reason: Reason,
    system: System = "",
    expires: Annotated[
        str,
        typer.Option(
            metavar="SPAN", help="fall after that, such as 20m; the policy's longest else"
        ),
    ] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Stop every function that writes what the policy's invariants are about, for a while.

    It is an outage that people have asked for: the status page calls it maintenance. It stands
    once a write is refused, and falls by `lift-fence`, at its time, or when it cannot stand.
    """
    with operations() as ours:
        policy = ours.policy(system)
        if policy.fence is not None and not as_json:
            groups = [policy.groups[name] for name in policy.fence.writers]
            names = sorted(function for group in groups for function in group.functions)
            say(
                f"{len(names)} functions of {policy.system} stop: {', '.join(names)}", "bold yellow"
            )
        require_sender()
        if not yes and not typer.confirm("Stop them?", err=as_json):
            raise leaving(NO, "nothing was done")
        said = {"command": "fence", "system": policy.system, "expires": expires}
        answer = send(ours, {**said, "reason": reason})
    conclude(answer, as_json=as_json)


def lift_fence(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Let the fence fall now: every function that it has stopped is as it was before."""
    with operations() as ours:
        named = ours.policy(system).system
        answer = send(ours, {"command": "lift-fence", "system": named, "reason": reason})
    conclude(answer, as_json=as_json)
