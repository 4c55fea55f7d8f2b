"""`rollback copy`: a database as of a restore point, beside the one that there is."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.ordering import DryRun, Yes
from cli.screen import AsJson, System, print_json, say
from cli.sending import Reason, conclude, require_sender, send
from cli.wired import NO, leaving, operations
from responders.backups import copying, restoring
from shared.errors import Refused
from shared.restore_point import FORMS


def copy(
    restore_point: Annotated[str, typer.Option(metavar="POINT", help=f"of when: {FORMS}")],
    reason: Reason,
    system: System = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have a new database made as of a restore point, looked through, and kept for a while.

    Nothing of the application is touched. `rollback status` tells how far it is; people are told
    when it is ready, and how to let the application use it.
    """
    with operations() as ours:
        policy = ours.policy(system)
        try:
            point = copying.chosen(restore_point, restoring.kept(ours.wiring, policy))
        except Refused as refused:
            raise leaving(NO, refused.reason) from refused
        if not as_json:
            say(f"{policy.backups.database} of {policy.system} as of {point}", "bold")
        elif dry_run:
            print_json(point)
        if dry_run:
            return
        require_sender()
        if not yes and not typer.confirm("Copy it?", err=as_json):
            raise leaving(NO, "nothing was done")
        said = {"command": "copy", "system": policy.system, "restore_point": restore_point}
        answer = send(ours, {**said, "reason": reason})
    conclude(answer, as_json=as_json)
