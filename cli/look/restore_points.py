"""`rollback restore-points` and `copy`: what data can be brought back to, and a copy as of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from cli.support.confirmation import DryRun, Manner, Yes, go_through
from cli.support.context import NO, leaving, operations
from cli.support.output import AsJson, System, at, print_json, say, table
from cli.support.publishing import Reason
from responders.backups import copy_command
from responders.data import restore_points as restoring
from shared.core.errors import Refused
from shared.domain.data.backups.restore_point import FORMS, AvailablePoints, Point, resolved

NO_WINDOW = "the database cannot be read as of any minute that is over"
NOTHING = "there is no backup that can be restored"
NOT_TRIED = "never: taken by its name alone"


def restore_points(
    point: Annotated[
        str,
        typer.Argument(metavar="[POINT]", help=f"what this one would be: {FORMS}"),
    ] = "",
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """List what the data can be brought back to: the window of the database, and its backups.

    Exit code 1 when POINT cannot be had, with the nearest that can.
    """
    with operations() as ours:
        found = restoring.available_points(ours.wiring, ours.policy(system))
    if point:
        try:
            meant = resolved(point, found)
        except Refused as refused:
            raise leaving(NO, refused.reason) from refused
        print_json(meant) if as_json else say(f"{point} is {meant}{_until(meant)}")
        return
    if as_json:
        print_json({"window": found.window, "backups": found.backups, "copies": found.copies})
        return
    for line in _lines(found):
        say(line)
    if found.backups:
        table(
            ("backup", "moment (UTC)", "from", "proven", "kept until"),
            (
                (
                    *(one.backup, at(one.at), one.source),
                    *(_day(one.proven_at) or NOT_TRIED, _day(one.until)),
                )
                for one in reversed(found.backups)
            ),
        )


def _lines(found: AvailablePoints) -> Iterator[str]:
    window = found.window
    if window is None:
        yield NO_WINDOW
    else:
        first, last = window
        yield f"any whole minute from {first} to {last}"
    yield from (f"the copy {one.place} of {one.at:%Y-%m-%d %H:%M} UTC" for one in found.copies)
    if not found.backups:
        yield NOTHING


def _until(point: Point) -> str:
    return f", until about {at(point.until)} UTC" if point.until else ""


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


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
            point = copy_command.chosen(
                restore_point, restoring.available_points(ours.wiring, policy)
            )
        except Refused as refused:
            raise leaving(NO, refused.reason) from refused
        if not as_json:
            say(f"{policy.backups.database} of {policy.system} as of {point}", "bold")
        elif dry_run:
            print_json(point)
        said = {"command": "copy", "system": policy.system, "restore_point": restore_point}
        manner = Manner(dry_run, yes, follow=False, as_json=as_json)
        go_through(ours, {**said, "reason": reason}, manner, "Copy it?")
