"""`rollback backups`: what was exported, what is proven, and how Google's own backups are."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from cli.support.context import open_operations
from cli.support.output import (
    AsJson,
    System,
    format_lasting,
    format_time,
    print_json,
    print_line,
    print_table,
)
from shared.core.durations import format_duration
from shared.domain.data.backups.export import Backup, ExportStatus
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.native_backups import ManagedBackupStatus
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.policy.resources import BackupRules

NOTHING = "no exports: the policy names no bucket (backups.bucket)"
NONE_YET = "no export yet: one starts within a minute"
NOT_PROVEN = "no restore test has passed: it is not proven that a backup can be restored"
NOT_TRIED = "no restore tests: the policy does not require them (backups.proof)"


def backups(system: System = "", as_json: AsJson = False) -> None:
    """List the backups: exports with their copies, and what is missing of Google's own."""
    with open_operations() as ours:
        policy = ours.policy(system)
        found = ours.reading.backups(policy.system)
        proofs = ours.reading.restore_tests(policy.system)
        watched = ours.reading.managed_backup_status(policy.system)
    if as_json:
        cost = reads_a_day(policy.backups, found)
        print_json({"exports": found, "proofs": proofs, "native": watched, "reads_a_day": cost})
        return
    _show(found, proofs)
    for line in (
        *_backup_lines(policy.backups, found, watched),
        *_describe_restore_test(policy.backups, proofs),
    ):
        print_line(line)


def _show(found: Sequence[Backup], proofs: Sequence[RestoreTest]) -> None:
    proven = {one.backup: one for one in reversed(proofs) if one.status is FillStatus.PROVEN}
    headings = ("backup", "moment (UTC)", "status", "documents", "bytes", "copies", "stored until")
    rows = (
        (
            one.id,
            format_time(one.snapshot_at),
            one.status,
            f"{one.documents:,}",
            f"{one.size_bytes:,}",
            str(len(one.places)),
            f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "held" * bool(one.held_by),
            f"{proven[one.id].began_at:%Y-%m-%d}" if one.id in proven else "",
        )
        for one in found
    )
    print_table((*headings, "proven"), rows)
    for one in found:
        if one.failure:
            print_line(f"{one.id}: {one.failure}")
        if one.held_by:
            print_line(f"{one.id}: held by {one.held_by} (rollback release --backup)")
        if one.status is ExportStatus.KEPT and not one.configuration:
            print_line(f"{one.id}: the live state of that time is not stored beside it")


def _backup_lines(
    rules: BackupRules, found: Sequence[Backup], watched: ManagedBackupStatus | None
) -> list[str]:
    """Return the lines below the table, or in its place."""
    lines = []
    if rules.bucket is None:
        lines.append(NOTHING)
    elif not found:
        lines.append(NONE_YET)
    cost = reads_a_day(rules, found)
    if cost is not None:
        every = format_duration(rules.every)
        lines.append(f"an export each {every} costs about {cost:,} reads a day, by the newest one")
    if not rules.native:
        lines.append("Google's own backups are not monitored (backups.native)")
    elif watched is None:
        lines.append("Google's own backups were not checked yet")
    else:
        seen = f"at {format_time(watched.looked_at)} UTC"
        word = "incomplete" if watched.faults else "complete"
        lines += [f"Google's own backups were {word} {seen}", *watched.faults]
    return lines


def reads_a_day(rules: BackupRules, found: Sequence[Backup]) -> int | None:
    """What exports cost in documents read; None without a whole one to go by, or any to come."""
    newest = next((one for one in found if one.status is ExportStatus.KEPT), None)
    if newest is None or rules.bucket is None:
        return None
    return newest.documents * (timedelta(days=1) // rules.every)


def _describe_restore_test(rules: BackupRules, proofs: Sequence[RestoreTest]) -> Iterator[str]:
    """What came of the restores, the newest that proves something and the newest of all."""
    if rules.proof is None and not proofs:
        yield NOT_TRIED
        return
    proven = next((one for one in proofs if one.status is FillStatus.PROVEN), None)
    if proven is None:
        yield NOT_PROVEN
    elif proven.duration is not None:
        took, documents = format_lasting(proven.duration), sum(proven.counts.values())
        counted = f", {documents:,} documents counted" if documents else ""
        yield f"{proven.backup} was restored in {took}{counted}, {proven.compared} compared"
        yield from (f"not known: {one}" for one in proven.unknown)
    newest = proofs[0] if proofs else None
    if newest is not None and newest.status is FillStatus.FAILED:
        yield f"{newest.backup} failed its restore test: {'; '.join(newest.faults)}"
    elif newest is not None and not newest.is_over:
        why = f" ({newest.waiting})" if newest.waiting else ""
        yield f"{newest.backup} is in its restore test: {newest.status.lower()}{why}"
