"""`rollback restore-points`: what data can be restored to; `documents`: what a repair changes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from cli.support.command_sending import Incident
from cli.support.context import Operations, open_operations, read_restore_point
from cli.support.exit_codes import REFUSED, create_exit, exit_on
from cli.support.output import AsJson, System, format_time, print_json, print_line, print_table
from cli.support.parameters import argument
from responders.data import restore_points as restoring
from responders.data.repair import preview
from responders.rollback.decision.data_requests import Preparation
from shared.core.errors import Refused
from shared.domain.data.backups.restore_point import ACCEPTED_FORMS, AvailablePoints, resolve_restore_point
from shared.domain.data.repair.repair_plan import DocumentDecision, describe_document_change, preview_path

NO_WINDOW = "the database cannot be read at an earlier time"
NOTHING = "there is no backup that can be restored"
NOT_TRIED = "not tested: select it by its name"


def restore_points(
    point: Annotated[str, argument("[POINT]", f"what this one would be: {ACCEPTED_FORMS}")] = "",
    system: System = "",
    as_json: AsJson = False,
) -> None:
    """List what the data can be brought back to: the window of the database, and its backups.

    Exit code 1 when POINT cannot be had, with the nearest that can.
    """
    with open_operations() as ours:
        found = restoring.read_available_points(ours.wiring, ours.policy(system))
    if point:
        with exit_on(Refused, REFUSED):
            named, shown = read_restore_point(point)
            meant = resolve_restore_point(named, found)
        until = f", until about {format_time(meant.until)} UTC" if meant.until else ""
        print_json(meant) if as_json else print_line(f"{shown or point} is {meant}{until}")
        return
    if as_json:
        print_json({"window": found.window, "backups": found.backups, "copies": found.copies})
        return
    for line in _lines(found):
        print_line(line)
    if found.backups:
        print_table(
            ("backup", "moment (UTC)", "from", "proven", "stored until"),
            (
                (
                    one.backup,
                    format_time(one.at),
                    one.source,
                    _day(one.proven_at) or NOT_TRIED,
                    _day(one.until),
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


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def documents(incident: Incident, as_json: AsJson = False) -> None:
    """List each document that a repair would change or leave, with the fields that differ.

    A plan names only some of each kind. This list is of the same moments as the plan, read again
    with read-only rights. It leaves out people who are known to be erased.

    Exit code 0; 1 when no data were scanned for the incident; 3 when those moments are no longer
    readable, or a service gives no answer.
    """
    with open_operations() as ours:
        found = _document_rows(ours, incident)
        if as_json:
            print_json([{"path": one.path, "becomes": one.fate} for one in found])
            return
        for one in found:
            print_line(f"{one.fate}: {describe_document_change(one)}")


def _document_rows(ours: Operations, name: str) -> Iterator[DocumentDecision]:
    incident = ours.incident(name)
    for rollback in reversed(incident.rollback_ids):
        place = ours.wiring.store.get(preview_path(rollback))
        survey = place.decode(Preparation).survey if place.fields else None
        if survey is not None and survey.is_over:
            return preview.iterate_affected_documents(ours.wiring, ours.policy(incident.system), survey)
    raise create_exit(REFUSED, f"no scan of the data for {name} was completed")
