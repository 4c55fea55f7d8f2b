"""Copies in quarantine of people who are erased after a repair has ended: a worker removes them.

Batch after batch of each rollback of which something is kept. How far it has come stands in the
record, and each batch is safe to repeat. What stands in the application's database is its own.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from responders.data.erasure import FORGET, Ledger, read_ledger
from responders.data.repair import erasure_after_repair
from responders.data.repair.erasure_after_repair import may_go_on, of_ended
from responders.data.repair.erasure_during_repair import TakingOut
from responders.support import resumable_command
from responders.support.resumable_command import GIVEN_UP_AFTER, Told, later, over
from shared.core.codec import decode
from shared.core.errors import Rejected, RollbackError
from shared.core.store import Document
from shared.domain.audit.chain import event
from shared.domain.commands import command as commands
from shared.domain.commands.command import CommandRecord
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import JournalEntry
from shared.domain.notices.notice import notices
from shared.domain.policy.model import Policy
from shared.domain.policy.severity import Severity
from shared.ports.groups import Ports
from shared.ports.storage import Vault
from shared.state import repair_journal

VERB: Final = FORGET
PORTION_SECONDS: Final = 8.0


def go_on(ports: Ports, policy: Policy, document: Document, record: CommandRecord) -> None:
    """Remove copies until none is left, or the time is over. Raises: Moved, Unavailable."""
    piece, end = partial(_portion, ports, policy), partial(_end, policy)
    resumable_command.go_on(ports, document, record, piece, end)


def _end(policy: Policy, record: CommandRecord, now: datetime) -> Told:
    """How it ended; people are told where copies are left."""
    why = record.answer.get("left", "")
    happened = event(
        "quarantine.erased", now, "worker", gone=record.answer.get("gone", 0), left=why
    )
    text = f"{policy.system}: copies of people who were erased are left in quarantine: {why}"
    return happened, notices(policy, record.id, Severity.HIGH, VERB, text, now) if why else []


def _portion(ports: Ports, policy: Policy, record: CommandRecord, now: datetime) -> CommandRecord:
    """The record after some seconds; the same place again, where nothing may be done now."""
    if now - record.received_at > GIVEN_UP_AFTER:
        return _over(record, now, left="given up after a day")
    try:
        vault = ports.buckets.quarantine
        found = _next(policy, record, vault) if vault is not None else ""
        if vault is None or not found:
            return _over(record, now)
        if not may_go_on(ports, policy) or _is_waited_for(ports, found):
            return later(record, now)
        return _gone_through(ports, policy, vault, record, found, now)
    except Rejected as no:
        return _over(record, now, left=str(no))
    except RollbackError:
        return later(record, now)


def _next(policy: Policy, record: CommandRecord, vault: Vault) -> str:
    """The rollback to go through now; empty: there is none any more."""
    behind, cursor = record.answer.get("rollback", ""), record.answer.get("cursor", "")
    names = vault.made(f"{policy.system}/")
    kept = {name.split("/")[1] for name in names}
    return min((one for one in kept if one > behind or (cursor and one == behind)), default="")


def _is_waited_for(ports: Ports, rollback: str) -> bool:
    """Whether what it has written is to be taken out still, by the copies that would go."""
    fields = ports.store.get(
        commands.command_path(erasure_after_repair.command_of(rollback))
    ).fields
    return fields is not None and decode(CommandRecord, fields).due_at is not None


def _gone_through(
    ports: Ports, policy: Policy, vault: Vault, record: CommandRecord, rollback: str, now: datetime
) -> CommandRecord:
    """The record behind some batches more of it, by the ledger as it is.

    Whomever it does not have yet the clock reads, and gives the command again.
    Raises: Unavailable, Rejected, Moved.
    """
    ledger = read_ledger(ports, policy)
    if ledger is None:
        return _over(record, now)
    until = ports.clock.monotonic() + PORTION_SECONDS
    there = vault.made(quarantine.prefix(policy.system, rollback))
    taking_out = of_ended(ports, policy, rollback, now)
    is_new = rollback != record.answer.get("rollback", "")
    cursor, gone = "" if is_new else record.answer["cursor"], record.answer.get("gone", 0)
    reached = cursor
    for name, document in repair_journal.behind(ports.store, rollback, cursor):
        entry = decode(JournalEntry, document.fields)
        if entry.kept.object in there:  # else age has taken it
            gone += _gone_of(taking_out, document, ledger, vault) - entry.copies_gone
        reached = name
        if ports.clock.monotonic() >= until:
            break
    if reached != cursor:  # the next portion goes on behind it
        return _at(record, rollback, reached, gone, now)
    taking_out.remove_unnamed()
    return _at(record, rollback, "", gone, now)


def _gone_of(taking_out: TakingOut, document: Document, ledger: Ledger, vault: Vault) -> int:
    """How many copies of a batch are gone by now, unless age takes all of it just then."""
    try:
        return taking_out.forget(document, ledger).copies_gone
    except Rejected:
        entry = decode(JournalEntry, document.fields)
        if vault.made(entry.kept.object):
            raise
        return entry.copies_gone


def _at(
    record: CommandRecord, rollback: str, cursor: str, gone: int, now: datetime
) -> CommandRecord:
    """The record at a batch of a rollback; an empty cursor: behind all of them."""
    answer = {"rollback": rollback, "cursor": cursor, "gone": gone}
    return replace(record, answer=answer, due_at=now)


def _over(record: CommandRecord, now: datetime, left: str = "") -> CommandRecord:
    answer = {**record.answer, "left": left} if left else record.answer
    return over(replace(record, answer=answer), now, record.result)
