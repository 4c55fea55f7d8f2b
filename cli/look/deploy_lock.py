"""`rollback deploy-lock`: may CI deploy now? Read only; nothing here locks anything."""

from datetime import datetime
from typing import Annotated

import typer

from cli.support.context import Operations, open_operations, parse_seconds
from cli.support.exit_codes import REFUSED
from cli.support.output import AsJson, print_json, print_line
from cli.support.parameters import argument, flag, option
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.labels import status_label
from shared.domain.system_record import active_freeze

POLL_INTERVAL_SECONDS = 10.0


def deploy_lock(
    system: Annotated[str, argument("[SYSTEM]", "the protected system")] = "",
    wait: Annotated[bool, flag("--wait", "return once it is free")] = False,
    within: Annotated[str, option("SPAN", "with --wait: give up after this time")] = "1h",
    as_json: AsJson = False,
) -> None:
    """Tell CI whether to wait with a deployment: an incident, a rollback or a freeze is open.

    Exit code 0 when the system is free; 1 when it is locked, or was to the end of the waiting.
    """
    give_up_after = parse_seconds("within", within)
    with open_operations() as ours:
        policy, clock = ours.policy(system), ours.wiring.clock
        give_up_at = clock.monotonic() + give_up_after
        told = ""
        while reasons := find_locks(ours, policy, clock.now()):
            left = give_up_at - clock.monotonic()
            if not wait or left <= 0:
                break
            if (said := "; ".join(reasons)) != told:
                typer.echo(f"waiting: {said}", err=True)
                told = said
            clock.sleep(min(POLL_INTERVAL_SECONDS, left))
    if as_json:
        print_json({"system": policy.system, "locked": bool(reasons), "reasons": reasons})
    else:
        for line in reasons or [f"{policy.system} is free"]:
            print_line(line)
    if reasons:
        raise typer.Exit(REFUSED)


def find_locks(ours: Operations, policy: Policy, now: datetime) -> list[str]:
    """Why nobody should deploy now, one line each; empty: nothing speaks against it."""
    reading = ours.reading
    system = reading.system(policy.system)
    open_incidents = [one for name in system.open_incidents if (one := reading.incident(name))]
    rollback = reading.rollback(system.rollback) if system.rollback else None
    window = active_freeze((*reading.controls().freezes, *system.freezes), now)
    reasons = [
        f"incident {one.id} is open: {status_label(one.status)}"
        for one in open_incidents
        if not one.is_awaiting_recovery  # a fix may end it
    ]
    if rollback is not None and not rollback.has_ended:
        reasons.append(f"rollback {rollback.id} goes on: {status_label(rollback.status)}")
    elif system.slot:
        reasons.append(f"rollback {system.slot} goes on")
    if window is not None:
        reasons.append(str(window))
    return reasons
