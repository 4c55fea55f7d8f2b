"""Documents written back, or put back as they were: what becomes of each, batch after batch."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from responders.data.erasure_ledger import ErasureLedger, ErasureLedgerUpdater, read_ledger
from responders.data.repair.document_outcomes import RepairSelector
from responders.data.repair.journalled_writes import JournalledWriter, is_document_as_wanted
from responders.data.repair.ttl import read_expiries
from shared.core.codec import decode
from shared.core.errors import Moved, Rejected, Unavailable
from shared.domain.data.document import DocumentSnapshot, RewriteResult
from shared.domain.data.repair import quarantine, repair_plan
from shared.domain.data.repair.quarantine import DocumentChange, JournalEntry
from shared.domain.data.repair.repair_plan import (
    WRITTEN_OUTCOMES,
    DocumentDecision,
    DocumentOutcome,
    RepairGoal,
    RepairPosition,
    SnapshotPair,
)
from shared.domain.data.ttl import TtlField, has_expired
from shared.domain.rollback.plan import Step
from shared.engine.steps.documents.batched import MAX_PORTION_SECONDS, consume_until
from shared.engine.steps.documents.restore import RestoreGoal
from shared.state.reader import read_entries_after


class DocumentRewriter(JournalledWriter):
    """What one worker writes back. Each verb is safe to repeat: it finds what it has done."""

    def rewrite_portion(self, step: Step, goal: RepairGoal, position: RepairPosition) -> RepairPosition:
        """Write for some seconds; return the position. Raises: Unavailable, Rejected."""
        if goal.policy not in ("", self._policy.fingerprint):
            raise Rejected("another policy holds than the one by which people have agreed to it")
        clock = self._ports.clock
        began = clock.monotonic()
        self._update_ledger()  # what comes back must not be of somebody erased just now
        expiries = read_expiries(self._ports, self._policy, goal.database)
        mending = RepairSelector(self._ports, self._policy, goal, expiries)
        further = self._repair_batches(step, goal, position, mending)
        position = consume_until(clock, began + MAX_PORTION_SECONDS, position, further)
        return repair_plan.add_elapsed_time(position, clock.monotonic() - began)

    def _repair_batches(
        self, step: Step, goal: RepairGoal, position: RepairPosition, mending: RepairSelector
    ) -> Iterator[RepairPosition]:
        for batch in mending.select_batches(position):
            fated = self._repair_batch(step, goal, position.cursor, batch.fated, mending.ledger)
            position = repair_plan.advance_position(position, batch.pairs, fated, is_last=batch.is_last)
            yield position

    def restore_portion(self, step: Step, goal: RestoreGoal, position: RepairPosition) -> RepairPosition:
        """Put back what a repair wrote, unless changed or erased since; return the position."""
        clock = self._ports.clock
        began = clock.monotonic()
        self._update_ledger()
        ledger = read_ledger(self._ports, self._policy)
        expiries = read_expiries(self._ports, self._policy, goal.database)
        further = self._restore_entries(step, goal, position, ledger, expiries)
        position = consume_until(clock, began + MAX_PORTION_SECONDS, position, further)
        return repair_plan.add_elapsed_time(position, clock.monotonic() - began)

    def _restore_entries(
        self,
        step: Step,
        goal: RestoreGoal,
        position: RepairPosition,
        ledger: ErasureLedger | None,
        expiries: Sequence[TtlField],
    ) -> Iterator[RepairPosition]:
        for name, document in read_entries_after(self._ports.store, goal.rollback, position.cursor):
            entry = decode(JournalEntry, document.fields)
            fated = self._restore_entry(step, goal, name, entry, ledger, expiries)
            pairs = [SnapshotPair(name, None, None)] * len(fated)
            position = repair_plan.advance_position(position, pairs, fated, is_last=False)
            position = replace(position, cursor=name)
            yield position
        yield replace(position, is_over=True)

    def _update_ledger(self) -> None:
        """Bring the ledger of the erased up to date. Raises: Unavailable, Rejected."""
        ErasureLedgerUpdater(self._ports, {self._policy.system: self._policy}).update_ledgers()

    def _restore_entry(
        self,
        step: Step,
        goal: RestoreGoal,
        name: str,
        entry: JournalEntry,
        ledger: ErasureLedger | None,
        expiries: Sequence[TtlField],
    ) -> list[DocumentDecision]:
        """What becomes of each document of one batch, though nobody could tell what had landed."""
        before = self._read_copies(goal, name, entry)
        left = {one.path for one in entry.left}
        wanted = {one.path: one for one in before if one.path not in left}
        written_at = {one.path: one.at for one in entry.landed}
        there = self._ports.system(self._policy.system).documents.get(goal.database, sorted(wanted), None)
        expired_by = self._ports.clock.now()
        fated: list[DocumentDecision] = []
        changes: list[DocumentChange] = []
        for path, known in wanted.items():
            now, was = there[path], known.before
            if was is not None and ledger is not None and ledger.is_version_erased(was, known.whose):
                fated.append(DocumentDecision(path, DocumentOutcome.ERASED))
            elif was is not None and has_expired(expiries, was, expired_by):
                fated.append(DocumentDecision(path, DocumentOutcome.EXPIRED))
            elif is_document_as_wanted(now, known) and _is_unchanged_since_write(now, written_at.get(path)):
                changes.append(_build_change(path, now, was, known.whose))
            elif is_document_as_wanted(now, _build_change(path, None, was)):
                fated.append(DocumentDecision(path, DocumentOutcome.RETURNED))
            else:
                fated.append(DocumentDecision(path, DocumentOutcome.MEANWHILE))
        landed = self._write_changes(step, goal.database, name, changes, ledger)
        after = (
            _update_fate(DocumentDecision(one.path, DocumentOutcome.RETURNED), landed.get(one.path))
            for one in changes
        )
        return [*fated, *after]

    def _read_copies(self, goal: RestoreGoal, name: str, entry: JournalEntry) -> list[DocumentChange]:
        """What a batch has kept. Raises: Unavailable, Rejected."""
        try:
            return quarantine.unpack_changes(self._vault.read(entry.kept))
        except Rejected:
            path = f"{quarantine.journal_path(goal.rollback)}/{name}"
            now = decode(JournalEntry, self._ports.store.get(path).fields)
            if now.kept == entry.kept:
                raise
            raise Unavailable("copies of people who were erased are being removed") from None

    def _repair_batch(
        self,
        step: Step,
        goal: RepairGoal,
        cursor: str,
        fated: Iterable[DocumentDecision],
        ledger: ErasureLedger | None,
    ) -> list[DocumentDecision]:
        known = list(fated)
        changes = [
            _build_change(one.path, one.now, one.wanted, one.whose)
            for one in known
            if one.fate in WRITTEN_OUTCOMES
        ]
        landed = self._write_changes(step, goal.database, cursor, changes, ledger)
        return [_update_fate(one, landed.get(one.path)) for one in known]


def _build_change(
    path: str, now: DocumentSnapshot | None, wanted: DocumentSnapshot | None, whose: tuple[str, ...] = ()
) -> DocumentChange:
    if wanted is None:
        return DocumentChange(path, now, None, whose=whose)
    return DocumentChange(path, now, wanted.fields, wanted.updated_at, whose)


def _is_unchanged_since_write(now: DocumentSnapshot | None, at: datetime | None) -> bool:
    """Whether nobody has written a document since it was written then; None: that is not known."""
    return now is None or at in (None, now.updated_at)


def _update_fate(fated: DocumentDecision, landed: RewriteResult) -> DocumentDecision:
    match landed:
        case Moved():
            return DocumentDecision(fated.path, DocumentOutcome.MEANWHILE, fated.now)
        case Rejected():
            return DocumentDecision(fated.path, DocumentOutcome.REFUSED, fated.now)
    return fated
