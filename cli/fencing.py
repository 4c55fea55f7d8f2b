"""`rollback fence`, `lift-fence`, `pushes`: what writes is stopped for a while, or told nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.ordering import Manner, Yes, go_through
from cli.screen import AsJson, System, print_json, printable, say
from cli.sending import Reason, send_command
from cli.wired import operations
from shared.versions import is_id


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
        said = {"command": "fence", "system": policy.system, "expires": expires}
        manner = Manner(dry_run=False, yes=yes, follow=False, as_json=as_json)
        go_through(ours, {**said, "reason": reason}, manner, "Stop them?")


def lift_fence(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Let the fence fall now: every function that it has stopped is as it was before.

    Where none is up, let the silence of a repair fall: what waits for triggers comes to them.
    """
    send_command("lift-fence", reason, system, as_json=as_json)


def pushes(system: System = "", as_json: AsJson = False) -> None:
    """Print the commands by which a person gives back what a silence has taken away.

    For the day when it does not fall, or nothing of ours runs: what the repair has written starts
    its hearers then. A silence that finds a push given back leaves it, and falls. The system may
    be one whose policy is gone.
    """
    with operations() as ours:
        silence = ours.reading.silence(system) if is_id(system) else None  # its policy may be gone
        if silence is None:
            system = ours.policy(system).system
            silence = ours.reading.silence(system)
    known = silence.listeners if silence is not None and not silence.is_over else ()
    commands = {one.hearer.name: one.command for one in known if one.command}
    if as_json:
        print_json(commands)
        return
    for command in commands.values():
        print(printable(command))
    if not commands:
        typer.echo(f"no push of {system} is taken away", err=True)
