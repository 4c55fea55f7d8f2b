"""Whom a rollback that ended early has not looked for: taken out afterwards, as soon as may be.

A person has cancelled it, or it was held too long: its own last step was never taken. It is a
command that the rollback gives itself in the commit that ends it, and that a worker goes on with:
no pause loses it. How far it has come is kept after each portion, and each is safe to repeat.

Who is erased after a repair has ended may have copies in quarantine: another command removes them,
batch after batch of each rollback. What stands in the application's database is its own.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from responders.data.erasure_ledger import ERASE_VERB, ErasureLedger, read_ledger
from responders.data.repair.erasure_during_repair import RepairEraser
from responders.support.controls import is_change_blocked
from responders.support.resumable_command import (
    COMMAND_TIMEOUT,
    EndReport,
    completed_record,
    postponed_record,
)
from shared.core.codec import encode
from shared.core.errors import Rejected, RollbackError
from shared.core.store import Create, Document
from shared.domain.audit.chain import create_event
from shared.domain.commands.command import CommandRecord, command_path
from shared.domain.data.document import REWRITE_TIMEOUT_SECONDS
from shared.domain.data.repair.quarantine import JournalEntry, object_prefix
from shared.domain.data.repair.repair_plan import decode_position, encode_position
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import ENDED_STEP_STATUSES, Step
from shared.domain.rollback.rollback import Rollback
from shared.domain.rollback.write_ramp import WriteRamp
from shared.engine.steps.documents import erase
from shared.ports.groups import Ports
from shared.ports.storage import Vault
from shared.state.reader import StateReader, read_entries_after

ERASE_AFTER_REPAIR_VERB = "take-out"
"""Nobody can say it: a rollback alone gives it itself."""
PORTION_TIME_LIMIT_SECONDS = 8.0


def build_outstanding_erasure(rollback: Rollback, steps: Iterable[Step], now: datetime) -> Iterator[Create]:
    """The command for the last step of a rollback that ends before it was taken; else none."""
    is_left = any(one.kind == erase.KIND and one.status not in ENDED_STEP_STATUSES for one in steps)
    if not is_left or rollback.started_at is None:
        return
    record = CommandRecord(
        id=erasure_command_id(rollback.id),
        command=ERASE_AFTER_REPAIR_VERB,
        system=rollback.system,
        actor="worker",
        reason=f"{rollback.id} has ended before it",
        received_at=now,
        result=f"who was erased while {rollback.id} wrote is to be taken out",
        incident=rollback.incident,
        due_at=now + timedelta(seconds=REWRITE_TIMEOUT_SECONDS),  # what is on its way has landed
        answer={"rollback": rollback.id, "position": ""},
    )
    yield Create(command_path(record.id), encode(record))


def erasure_command_id(rollback: str) -> str:
    """What the command of a rollback is called."""
    return f"{ERASE_AFTER_REPAIR_VERB}-{rollback}"


def erase_late_portion(ports: Ports, policy: Policy, record: CommandRecord, now: datetime) -> CommandRecord:
    """The record after one portion more; the same place again, where nothing may be done now."""
    rollback, position = record.answer["rollback"], decode_position(record.answer["position"])
    if now - record.received_at > COMMAND_TIMEOUT:
        why = f"who was erased while {rollback} wrote is NOT taken out in time"
        return completed_record(record, now, why)
    ended = StateReader(ports.store).rollback(rollback)
    if ended is None or ended.started_at is None:
        raise ValueError(f"{rollback} has written nothing")
    try:
        if not may_erase_now(ports, policy):
            return postponed_record(record, now)
        position = build_repair_eraser(ports, policy, rollback, ended.started_at).erase_portion(position)
    except Rejected as no:
        why = f"who was erased while {rollback} wrote is NOT taken out: {no}"
        return completed_record(record, now, why)
    except RollbackError:
        return postponed_record(record, now)
    after = replace(record, answer={**record.answer, "position": encode_position(position)}, due_at=now)
    if not position.is_over:
        return after
    return completed_record(after, now, f"{rollback}: {erase.describe_erased_counts(position)}")


def build_repair_eraser(ports: Ports, policy: Policy, rollback: str, began_at: datetime) -> RepairEraser:
    """What takes out of a rollback that is over; whoever was erased before `began_at` was known."""
    ramp, leave = WriteRamp(0.0, ports.clock.monotonic()), partial(may_erase_now, ports, policy)
    return RepairEraser(ports, policy, rollback, began_at, ramp, leave, is_alone=False)


def may_erase_now(ports: Ports, policy: Policy) -> bool:
    """Whether no switch forbids it, and no other rollback may read the same copies."""
    is_taken = bool(StateReader(ports.store).system(policy.system).slot)
    return not is_taken and not is_change_blocked(ports, policy)


def build_end_report(policy: Policy, record: CommandRecord, now: datetime) -> EndReport:
    """How it ended; people are told where copies are left."""
    why = record.answer.get("left", "")
    happened = create_event("quarantine.erased", now, "worker", gone=record.answer.get("gone", 0), left=why)
    text = f"{policy.system}: copies of people who were erased are left in quarantine: {why}"
    return happened, create_notices(policy, record.id, Severity.HIGH, ERASE_VERB, text, now) if why else []


def erase_quarantined_portion(
    ports: Ports, policy: Policy, record: CommandRecord, now: datetime
) -> CommandRecord:
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
    kept = {name.split("/")[1] for name in vault.creation_times(f"{policy.system}/")}
    return min((one for one in kept if one > behind or (cursor and one == behind)), default="")


def _is_erasure_pending(ports: Ports, rollback: str) -> bool:
    """Whether what it has written is to be taken out still, by the copies that would go."""
    record = StateReader(ports.store).command(erasure_command_id(rollback))
    return record is not None and record.due_at is not None


def _erase_batches_of_rollback(
    ports: Ports, policy: Policy, vault: Vault, record: CommandRecord, rollback: str, now: datetime
) -> CommandRecord:
    """Erase batches by the ledger as it is. Raises: Unavailable, Rejected, Moved."""
    ledger = read_ledger(ports, policy)
    if ledger is None:
        return _completed_record(record, now)
    until = ports.clock.monotonic() + PORTION_TIME_LIMIT_SECONDS
    there = vault.creation_times(object_prefix(policy.system, rollback))
    taking_out = build_repair_eraser(ports, policy, rollback, now)
    is_new = rollback != record.answer.get("rollback", "")
    cursor, gone = "" if is_new else record.answer["cursor"], record.answer.get("gone", 0)
    reached = cursor
    for name, document in read_entries_after(ports.store, rollback, cursor):
        entry = document.decode(JournalEntry)
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
        entry = document.decode(JournalEntry)
        if vault.creation_times(entry.kept.object):
            raise
        return entry.copies_gone


def _record_at_batch(
    record: CommandRecord, rollback: str, cursor: str, gone: int, now: datetime
) -> CommandRecord:
    """The record at a batch of a rollback; an empty cursor: behind all of them."""
    return replace(record, answer={"rollback": rollback, "cursor": cursor, "gone": gone}, due_at=now)


def _completed_record(record: CommandRecord, now: datetime, left: str = "") -> CommandRecord:
    answer = {**record.answer, "left": left} if left else record.answer
    return completed_record(replace(record, answer=answer), now, record.result)
