"""`rollback fence`, `lift-fence`: what writes is stopped for a while."""

from typing import Annotated

import typer

from cli.support.command_sending import Reason, send_command
from cli.support.confirmation import Manner, Yes, confirm_and_send
from cli.support.context import open_operations
from cli.support.output import AsJson, System, print_line
from shared.core.text import count_noun


def fence(
    reason: Reason,
    system: System = "",
    expires: Annotated[
        str, typer.Option(metavar="SPAN", help="fall after that, such as 20m; the policy's longest else")
    ] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Stop every function that writes what the policy's invariants are about, for a while.

    It is an outage that people have asked for: the status page calls it maintenance. It stands
    once a write is refused, and falls by `lift-fence`, at its time, or when it cannot stand.
    """
    with open_operations() as ours:
        policy = ours.policy(system)
        if policy.fence is not None and not as_json:
            groups = [policy.groups[name] for name in policy.fence.writers]
            names = sorted(function for group in groups for function in group.functions)
            stopped = count_noun(len(names), "function")
            print_line(f"{stopped} of {policy.system} to stop: {', '.join(names)}", "bold yellow")
        manner = Manner(dry_run=False, yes=yes, follow=False, as_json=as_json)
        content = {"command": "fence", "system": policy.system, "expires": expires, "reason": reason}
        confirm_and_send(ours, content, manner, "Stop them?")


def lift_fence(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Let the fence fall now: every function that it has stopped is as it was before."""
    send_command("lift-fence", reason, system, as_json=as_json)
