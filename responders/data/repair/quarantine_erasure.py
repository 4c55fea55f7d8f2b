"""Copies in quarantine of people who are erased after a repair has ended: a worker removes them.

Batch after batch of each rollback of which something is kept. How far it has come stands in the
record, and each batch is safe to repeat. What stands in the application's database is its own.
"""

from datetime import datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from responders.data.erasure_ledger import ERASE_VERB, ErasureLedger, read_ledger
from responders.data.repair import erasure_after_repair
from responders.data.repair.erasure_after_repair import build_repair_eraser, may_erase_now
from responders.data.repair.erasure_during_repair import RepairEraser
from responders.support import resumable_command
from responders.support.resumable_command import (
    COMMAND_TIMEOUT,
    EndReport,
    completed_record,
    postponed_record,
)
from shared.core.codec import decode
from shared.core.errors import Rejected, RollbackError
from shared.core.store import Document
from shared.domain.audit.chain import create_event
from shared.domain.commands.command import CommandRecord
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports
from shared.ports.storage import Vault
from shared.state.reader import StateReader, read_entries_after

PORTION_TIME_LIMIT_SECONDS: Final = 8.0


def continue_quarantine_erasure(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord
) -> None:
    """Remove copies until none is left, or the time is over. Raises: Moved, Unavailable."""
    piece, end = partial(_erase_portion, ports, policy), partial(_build_end_event, policy)
    resumable_command.continue_command(ports, document, record, piece, end)


def _build_end_event(policy: Policy, record: CommandRecord, now: datetime) -> EndReport:
    """How it ended; people are told where copies are left."""
    why = record.answer.get("left", "")
    happened = create_event("quarantine.erased", now, "worker", gone=record.answer.get("gone", 0), left=why)
    text = f"{policy.system}: copies of people who were erased are left in quarantine: {why}"
    return happened, create_notices(policy, record.id, Severity.HIGH, ERASE_VERB, text, now) if why else []


def _erase_portion(ports: Ports, policy: Policy, record: CommandRecord, now: datetime) -> CommandRecord:
    """The record after some seconds; the same place again, where nothing may be done now."""
    if now - record.received_at > COMMAND_TIMEOUT:
        return _completed_record(record, now, left="given up after a day")
    try:
        vault = ports.buckets.quarantine
        found = _next_rollback(policy, record, vault) if vault is not None else ""
        if vault is None or not found:
            return _completed_record(record, now)
        if not may_erase_now(ports, policy) or _is_erasure_pending(ports, found):
            return postponed_record(record, now)
        return _erase_batches_of_rollback(ports, policy, vault, record, found, now)
    except Rejected as no:
        return _completed_record(record, now, left=str(no))
    except RollbackError:
        return postponed_record(record, now)


def _next_rollback(policy: Policy, record: CommandRecord, vault: Vault) -> str:
    """The rollback to go through now; empty: there is none any more."""
    behind, cursor = record.answer.get("rollback", ""), record.answer.get("cursor", "")
    names = vault.creation_times(f"{policy.system}/")
    kept = {name.split("/")[1] for name in names}
    return min((one for one in kept if one > behind or (cursor and one == behind)), default="")


def _is_erasure_pending(ports: Ports, rollback: str) -> bool:
    """Whether what it has written is to be taken out still, by the copies that would go."""
    record = StateReader(ports.store).command(erasure_after_repair.erasure_command_id(rollback))
    return record is not None and record.due_at is not None


def _erase_batches_of_rollback(
    ports: Ports, policy: Policy, vault: Vault, record: CommandRecord, rollback: str, now: datetime
) -> CommandRecord:
    """Erase batches by the ledger as it is. Raises: Unavailable, Rejected, Moved."""
    ledger = read_ledger(ports, policy)
    if ledger is None:
        return _completed_record(record, now)
    until = ports.clock.monotonic() + PORTION_TIME_LIMIT_SECONDS
    there = vault.creation_times(quarantine.object_prefix(policy.system, rollback))
    taking_out = build_repair_eraser(ports, policy, rollback, now)
    is_new = rollback != record.answer.get("rollback", "")
    cursor, gone = "" if is_new else record.answer["cursor"], record.answer.get("gone", 0)
    reached = cursor
    for name, document in read_entries_after(ports.store, rollback, cursor):
        entry = decode(JournalEntry, document.fields)
        if entry.kept.object in there:  # else age has taken it
            gone += _count_erased_copies(taking_out, document, ledger, vault) - entry.copies_gone
        reached = name
        if ports.clock.monotonic() >= until:
            break
    if reached != cursor:  # the next portion goes on behind it
        return _record_at_batch(record, rollback, reached, gone, now)
    taking_out.delete_unreferenced_copies()
    return _record_at_batch(record, rollback, "", gone, now)


def _count_erased_copies(
    taking_out: RepairEraser, document: Document, ledger: ErasureLedger, vault: Vault
) -> int:
    """How many copies of a batch are gone by now, unless age takes all of it just then."""
    try:
        return taking_out.erase_from_entry(document, ledger, copies_only=True).copies_gone
    except Rejected:
        entry = decode(JournalEntry, document.fields)
        if vault.creation_times(entry.kept.object):
            raise
        return entry.copies_gone


def _record_at_batch(
    record: CommandRecord, rollback: str, cursor: str, gone: int, now: datetime
) -> CommandRecord:
    """The record at a batch of a rollback; an empty cursor: behind all of them."""
    answer = {"rollback": rollback, "cursor": cursor, "gone": gone}
    return replace(record, answer=answer, due_at=now)


def _completed_record(record: CommandRecord, now: datetime, left: str = "") -> CommandRecord:
    answer = {**record.answer, "left": left} if left else record.answer
    return completed_record(replace(record, answer=answer), now, record.result)
