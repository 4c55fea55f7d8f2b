"""`rollback audit`: the trail shown, verified against its anchors, and exported."""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import msgspec
import typer

from cli.support.command_sending import send
from cli.support.context import Operations, open_operations
from cli.support.exit_codes import INVALID_USAGE, REFUSED, create_exit
from cli.support.output import AsJson, escape_control_characters, print_json
from cli.support.parameters import argument, flag, option
from shared.core.text import count_noun
from shared.domain.audit import system_chain
from shared.domain.audit.audit_lines import AuditLine
from shared.domain.audit.verification import ChainFinding, ChainVerdict
from shared.domain.system_record import ALL_SYSTEMS
from shared.state.audit_reader import AuditReader

audit = typer.Typer(help="The audit log (docs/audit.md).", no_args_is_help=True)

Name = Annotated[str, argument("[INCIDENT|ROLLBACK]", "INC-…, or one of its rollbacks: INC-…-r2")]
System = Annotated[str, option("SYSTEM", "its events outside of rollbacks; also `all`, `unclaimed`")]


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""The first characters of a cell that a spreadsheet would execute."""


class Format(StrEnum):
    """What `--format` takes."""

    NDJSON = "ndjson"
    CSV = "csv"


class OpenAuditLog(Operations):
    """The responders with their audit log, as this shell's environment names them."""

    def __init__(self, ours: Operations) -> None:
        super().__init__(ours.wiring, ours.policies)
        self.trail = AuditReader(ours.wiring.store, ours.wiring.buckets.anchors)
        self.systems = (*sorted(ours.policies), ALL_SYSTEMS, system_chain.UNCLAIMED_SYSTEM)

    def require_system(self, name: str) -> str:
        """The system of that name; exits when there is none."""
        if name not in self.systems:
            raise create_exit(INVALID_USAGE, f"no system {name}; there is {', '.join(self.systems)}")
        return name

    def find_rollbacks(self, name: str) -> list[str]:
        """The rollbacks that a name means; exits when nothing is known of it."""
        found = self.trail.responses(name)
        if not found:
            raise create_exit(REFUSED, f"no audit log is stored or anchored of {name}")
        return found


@audit.command()
def show(name: Name = "", system: System = "", as_json: AsJson = False) -> None:
    """Show the events: when, what, who, from where, why, and the state before and after.

    Exit code 0; 1 when there is no such incident or rollback; 2 when the command or the settings
    are invalid; 3 when a service gives no answer.
    """
    if bool(name) is bool(system):
        raise create_exit(INVALID_USAGE, "name an incident or a rollback, or a --system")
    with open_operations() as shell:
        shell.require_state()
        ours = OpenAuditLog(shell)
        if system:
            told = ours.trail.system_lines(ours.require_system(system))
        else:
            told = [one for each in ours.find_rollbacks(name) for one in ours.trail.rollback_lines(each)]
    if as_json:
        print_json(told)
    elif not told:
        print(f"no event is stored of {name or system}")
    for one in () if as_json else told:
        print(_line(one))


@audit.command()
def verify(
    name: Name = "",
    system: System = "",
    everything: Annotated[bool, flag("--all", "every rollback and every system, stored or anchored")] = False,
    as_json: AsJson = False,
) -> None:
    """Verify that the audit log is as it was written, and show how far that is proven.

    Links, numbers and recorded heads find an entry that was edited, removed, inserted, moved or
    exchanged; only the heads anchored outside the database (ROLLBACK_AUDIT_BUCKET) find a chain
    that was written anew as a whole. Expired entries may be gone.

    Exit code 0 when all is intact or has expired; 1 when something is broken, or nothing is known
    of that name; 2 when the command or the settings are invalid; 3 when a service gives no
    answer: then nothing is known.
    """
    if [bool(name), bool(system), everything].count(True) != 1:
        raise create_exit(INVALID_USAGE, "name an incident or a rollback, or a --system, or --all")
    with open_operations() as shell:
        found = list(_findings(OpenAuditLog(shell), name, system))
    if as_json:
        print_json(found)
    elif not found:
        print("no audit log is stored or anchored")
    for finding in () if as_json else found:
        anchored = f"anchored up to {finding.anchored}" if finding.anchored else "not anchored"
        entries = count_noun(finding.entries, "entry", "entries")
        print(f"{finding.chain}: {finding.verdict}, {entries}, {anchored}")
        for fault in finding.faults:
            print(f"  FAULT {escape_control_characters(fault)}")
        for note in finding.notes:
            print(f"  note: {note}")
    if any(finding.verdict is ChainVerdict.BROKEN for finding in found):
        raise typer.Exit(REFUSED)


@audit.command()
def export(
    form: Annotated[Format, flag("--format", "one line per event")] = Format.NDJSON,
    since: Annotated[str, option("TIME", "ISO 8601; UTC unless it has an offset")] = "",
    until: Annotated[str, option("TIME", "end of the range, exclusive")] = "",
    system: System = "",
    output: Annotated[Path | None, option("FILE", "default: standard output", "-o", "--output")] = None,
    reason: Annotated[str, option("TEXT", "why; stored in the audit log")] = "export of the audit trail",
    as_json: AsJson = False,
) -> None:
    """Write the audit log of rollbacks and systems, in order of time, and record the export.

    The record is a command of its own, executed before anything is read: without the right to
    export you get nothing. A --system restricts it to that system's rollbacks and other events.
    --json prints the number of events, on standard error where the log goes to standard output.

    Exit code 0, also when there is nothing to export; 1 when the export is refused; 2 when the
    command, the file or the settings are invalid; 3 when there is no answer.
    """
    first, last = _moment("since", since), _moment("until", until)
    _require_writable(output)
    with open_operations() as shell:
        ours = OpenAuditLog(shell)
        systems = [ours.require_system(system)] if system else list(ours.systems)
        window = {"since": first.isoformat() if first else "", "until": last.isoformat() if last else ""}
        known = system if system in ours.policies else ""
        content = {"command": "export", "format": form.value, "reason": reason, "system": known}
        answer = send(ours, {**content, **window})
        if not answer.accepted:
            raise create_exit(REFUSED, f"refused: {answer.text}")
        told = _select_events(_describe_export(ours, systems), first, last)
        with _stream(output) as stream:
            write(told, form, stream)
    if as_json:
        where = {"command": answer.command, "file": str(output) if output else None}
        print_json({"events": len(told), "format": form, **where}, err=output is None)
    else:
        typer.echo(f"{count_noun(len(told), 'event')} exported", err=True)


def _select_events(
    told: Iterable[AuditLine], since: datetime | None, until: datetime | None
) -> list[AuditLine]:
    chosen = (
        one
        for one in told
        if (since is None or _event_time(one) >= since) and (until is None or _event_time(one) < until)
    )
    return sorted(chosen, key=lambda one: one.at)


def write(told: Iterable[AuditLine], form: Format, stream: TextIO) -> None:
    """Each event as one line of JSON, or as one row under a row of headings."""
    if form is Format.NDJSON:
        for one in told:
            stream.write(json.dumps(msgspec.to_builtins(one), ensure_ascii=False) + "\n")
        return
    rows = csv.writer(stream)
    rows.writerow(AuditLine.__struct_fields__)
    for one in told:
        rows.writerow([_csv_cell(value) for value in msgspec.structs.astuple(one)])


def _csv_cell(value: object) -> str:
    """The value as text that no spreadsheet carries out; facts are JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(FORMULA) else text


def _describe_export(ours: OpenAuditLog, systems: list[str]) -> Iterator[AuditLine]:
    """Every event of these systems; with all of them, of rollbacks whose system is unknown too."""
    for name in ours.trail.rollbacks():
        told = ours.trail.rollback_lines(name)
        if len(systems) > 1 or (told and told[0].system in systems):
            yield from told
    for system in systems:
        yield from ours.trail.system_lines(system)


def _findings(ours: OpenAuditLog, name: str, system: str) -> Iterator[ChainFinding]:
    trail, now = ours.trail, ours.wiring.clock.now()
    if system:
        found = trail.verify_system(ours.require_system(system), now)
        if found is None:
            raise create_exit(REFUSED, f"no audit log is stored or anchored of {system}")
        yield found
        return
    for one in ours.find_rollbacks(name) if name else trail.rollbacks():
        if (found := trail.verify_rollback(one, now)) is not None:
            yield found
    for one in () if name else ours.systems:
        if (found := trail.verify_system(one, now)) is not None:
            yield found


def _require_writable(output: Path | None) -> None:
    """Exits where a file cannot be written, before anything goes on record or is overwritten."""
    place = output if output is None or output.exists() else output.absolute().parent
    if place is not None and not os.access(place, os.W_OK):
        raise create_exit(INVALID_USAGE, f"{output}: cannot be written")


def _stream(output: Path | None) -> Any:
    """Where an export goes, in UTF-8 with line ends as they are written."""
    if output is None:
        return nullcontext(sys.stdout)
    try:
        return output.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise create_exit(INVALID_USAGE, f"{output}: {error.strerror}") from error


def _moment(option: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as unlike:
        why = f"--{option} {text!r} is no time such as 2026-03-02T12:00:00Z"
        raise create_exit(INVALID_USAGE, why) from unlike
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _event_time(one: AuditLine) -> datetime:
    """When it happened; the beginning of time for an event whose time was tampered with."""
    try:
        moment = datetime.fromisoformat(one.at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _line(one: AuditLine) -> str:
    change = f"{one.before or '-'} -> {one.after}" if one.after else ""
    parts = (one.at[:19], one.event, one.step, change, f"by {one.actor} ({one.origin})", one.why)
    return "  ".join(escape_control_characters(part) for part in parts if part)
