"""The switches: what stops automation or writes, and how far automation may go."""

from typing import Annotated

from cli.look.backtest import print_history
from cli.support.command_sending import Reason, check_command, send_command
from cli.support.confirmation import Manner, Yes, confirm_and_send
from cli.support.context import open_operations
from cli.support.output import AsJson, System, print_line
from cli.support.parameters import argument, flag, option
from shared.core.text import count_noun

Everything = Annotated[bool, flag("--all", "every system")]


def pause(
    reason: Reason,
    system: System = "",
    everything: Everything = False,
    expires: Annotated[str, option("WHEN", "when to be reminded: 2h, or a UTC time")] = "",
    as_json: AsJson = False,
) -> None:
    """Stop every rollback before its next effect, in one system or in all.

    Steps in flight end. Only `rollback resume` ends a pause; WHEN only reminds.
    """
    send_command("pause", reason, system, as_json, everything=everything, expires=expires)


def resume(
    reason: Reason, system: System = "", everything: Everything = False, as_json: AsJson = False
) -> None:
    """End a pause."""
    send_command("resume", reason, system, as_json, everything=everything)


def freeze(
    reason: Reason,
    until: Annotated[str, option("TIME", "its end, ISO 8601 UTC")],
    start: Annotated[str, option("TIME", "its beginning; default: now", "--from")] = "",
    system: System = "",
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Declare a window in which automation escalates and orders wait, unless they override."""
    window = {"from": start, "until": until}
    send_command("freeze", reason, system, as_json, everything=everything, **window)


def unfreeze(
    reason: Reason, system: System = "", everything: Everything = False, as_json: AsJson = False
) -> None:
    """Lift every freeze window, of one system or those over all."""
    send_command("unfreeze", reason, system, as_json, everything=everything)


def unplan(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Cancel every scheduled rollback."""
    send_command("unplan", reason, system, as_json)


def breach(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """Declare a security breach: code is rolled back at once if the policy says `act`."""
    send_command("breach", reason, system, as_json)


def revoke_sessions(reason: Reason, system: System = "", as_json: AsJson = False) -> None:
    """End the sessions of everybody who has signed in to the application."""
    send_command("revoke-sessions", reason, system, as_json)


def promote(
    mode: Annotated[str, argument("MODE", "observe, ask or act")],
    reason: Reason,
    system: System = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Set the automation mode: observe, ask or act. Shows its backtest, then asks."""
    with open_operations() as ours:
        policy = ours.declared_policy(system)
        content = {"command": "promote", "system": policy.system, "mode": mode.lower(), "reason": reason}
        check_command(ours, content)
        if not as_json:
            print_history(ours, policy)
        manner = Manner(dry_run=False, yes=yes, follow=False, as_json=as_json)
        confirm_and_send(ours, content, manner, f"Set the mode of {policy.system} to {mode}?")


def fence(
    reason: Reason,
    system: System = "",
    expires: Annotated[
        str, option("SPAN", "how long it stays up, such as 20m; default: `longest` of the policy")
    ] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Stop the functions that write the data of the policy's invariants, for a limited time.

    Users meet an outage: the status page calls it maintenance. The fence stands once a write is
    refused. It falls by `lift-fence`, at its time, or when it cannot stand.
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
    """Lift the fence now: each stopped function gets its previous instances."""
    send_command("lift-fence", reason, system, as_json)
