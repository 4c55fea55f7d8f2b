"""Who was erased while documents were written back: what was written of them is taken out again.

So are the copies in quarantine of what stood there of them. A copy is part of an object: one
without it is kept, the journal names that one, and what no entry names (any more) is removed last.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from responders.data.erasure_ledger import READ_OVERLAP, ErasureLedger, read_ledger, update_ledger
from responders.data.repair.writer import is_previous_version_erased, quarantine_vault
from shared.core.errors import Moved, Rejected, Unavailable
from shared.core.store import Document
from shared.core.text import count_noun
from shared.domain.data.document import DocumentSnapshot, Rewrite, is_same_value
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import DocumentChange, JournalEntry
from shared.domain.data.repair.repair_plan import DocumentOutcome, RepairPosition
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.write_ramp import WriteRamp
from shared.engine.steps.documents.batched import MAX_PORTION_SECONDS, consume_until
from shared.ports.groups import Ports
from shared.ports.storage import Vault
from shared.state.reader import read_entries_after

MAX_WORKER_LIFETIME = timedelta(minutes=5)
"""So long a worker lives at most: what it has kept its entry names by then, or none ever will."""


@dataclass
class RepairEraser:
    """What one rollback has written. What was taken out stands in its journal as a number alone."""

    _ports: Ports
    _policy: Policy
    _rollback: str
    _began_at: datetime
    """Whoever was erased before was known to each portion of the repair.

    Of them it has written nothing, but may have kept a copy, which its entry says then.
    """
    _ramp: WriteRamp
    _may_go_on: Callable[[], bool]
    is_alone: bool = True
    """No other worker keeps anything of the rollback beside this one."""

    def erase_portion(self, position: RepairPosition) -> RepairPosition:
        """Erase for some seconds; return the position. Raises: Unavailable, Rejected."""
        clock = self._ports.clock
        until = clock.monotonic() + MAX_PORTION_SECONDS
        update_ledger(self._ports, self._policy)
        ledger = read_ledger(self._ports, self._policy)
        is_new = ledger is not None and ledger.added_at >= self._began_at - READ_OVERLAP
        return consume_until(clock, until, position, self._erase_entries(position, ledger, is_new=is_new))

    def _erase_entries(
        self, position: RepairPosition, ledger: ErasureLedger | None, *, is_new: bool
    ) -> Iterator[RepairPosition]:
        for name, document in read_entries_after(self._ports.store, self._rollback, position.cursor):
            entry = document.decode(JournalEntry)
            if ledger is not None and (is_new or entry.is_of_erased):
                entry = self.erase_from_entry(document, ledger)
            position = _advance_position(position, name, entry)
            yield position
        if is_new or position.fates.get(DocumentOutcome.FORGOTTEN):
            self.delete_unreferenced_copies()
        yield replace(position, is_over=True)

    def delete_unreferenced_copies(self) -> None:
        """Delete copies that no entry names, unless just kept. Raises: Unavailable, Rejected."""
        there = self._vault.creation_times(quarantine.object_prefix(self._policy.system, self._rollback))
        entries = read_entries_after(self._ports.store, self._rollback)
        named = {one.decode(JournalEntry).kept.object for _, one in entries}
        until = self._ports.clock.now() - (timedelta() if self.is_alone else MAX_WORKER_LIFETIME)
        unnamed = {name: made_at for name, made_at in there.items() if name not in named}
        for name, made_at in sorted(unnamed.items()):
            if made_at <= until:
                self._delete_object(name)
        if any(made_at > until for made_at in unnamed.values()):
            raise Unavailable("another worker may be about to name what it has just kept")

    def erase_from_entry(
        self, document: Document, ledger: ErasureLedger, *, copies_only: bool = False
    ) -> JournalEntry:
        """Erase from a batch, or from its copies alone. Raises: Unavailable, Rejected, Moved."""
        entry = document.decode(JournalEntry)
        before, kept = entry.kept, self._read_copies(document, entry)
        written = {one.path: one for one in kept if _is_change_erased(one, ledger)}
        copies = [
            one for one in kept if one.path not in written and not is_previous_version_erased(one, ledger)
        ]
        if len(copies) == len(kept):
            return entry
        gone = set()
        if written and not copies_only:
            gone = self._delete_documents(entry, written)
        named = {one.path for one in copies}
        self._require_permission()
        content = quarantine.pack_changes(copies)
        name = quarantine.object_name(self._policy.system, self._rollback, content)
        entry = replace(
            entry,
            kept=self._vault.keep(name, content),
            landed=tuple(one for one in entry.landed if one.path not in gone),
            left=tuple(one for one in entry.left if one.path in named),
            taken_out=entry.taken_out + len(gone),
            copies_gone=entry.copies_gone + len(kept) - len(copies),
        )
        self._ports.store.commit([document.build_update(entry)])
        self._delete_object(before.object)
        return entry

    def _read_copies(self, document: Document, entry: JournalEntry) -> list[DocumentChange]:
        """What a batch has kept. Raises: Unavailable, Rejected; Moved, where others remove some."""
        try:
            return quarantine.unpack_changes(self._vault.read(entry.kept))
        except Rejected:
            if self._ports.store.get(document.path).decode(JournalEntry).kept == entry.kept:
                raise
            raise Moved("another worker removes copies of it") from None

    def _delete_object(self, name: str) -> None:
        self._require_permission()
        self._vault.remove(name)

    def _delete_documents(self, entry: JournalEntry, whose: Mapping[str, DocumentChange]) -> set[str]:
        """Delete unchanged documents; return those that are gone. Raises: Unavailable, Rejected."""
        there = self._ports.system(self._policy.system).documents.get(entry.database, sorted(whose), None)
        landed = {one.path for one in entry.landed}
        gone = {path for path, version in there.items() if version is None and path in landed}
        ours = [
            Rewrite(path, None, version.updated_at)
            for path, version in there.items()
            if version is not None and is_same_value(version.fields, whose[path].after)
        ]
        if not ours:
            return gone
        clock = self._ports.clock
        clock.sleep(self._ramp.reserve_writes(len(ours), clock.monotonic()))
        self._require_permission()
        answers = self._ports.system(self._policy.system).rewrites.rewrite(entry.database, ours)
        if any(isinstance(one, Unavailable) for one in answers):
            raise Unavailable("not all that is of people who were erased is taken out yet")
        refused = sum(isinstance(one, Rejected) for one in answers)
        if refused:
            raise Rejected(f"{count_noun(refused, 'document')} of people who were erased cannot be taken out")
        pairs = zip(ours, answers, strict=True)
        return gone | {one.path for one, answer in pairs if not isinstance(answer, Moved)}

    def _require_permission(self) -> None:
        """Raises: Unavailable, when nothing may be done now."""
        if not self._may_go_on():
            raise Unavailable("nothing may be taken out now")

    @property
    def _vault(self) -> Vault:
        return quarantine_vault(self._ports)


def _is_change_erased(change: DocumentChange, ledger: ErasureLedger) -> bool:
    """Whether what was, or may have been, written is of somebody erased since it was so."""
    if change.after is None or change.of is None:
        return False
    version = DocumentSnapshot(change.path, change.after, change.of, change.of)
    return ledger.is_version_erased(version, change.whose)


def _advance_position(position: RepairPosition, name: str, entry: JournalEntry) -> RepairPosition:
    counted = {DocumentOutcome.TAKEN_OUT: entry.taken_out, DocumentOutcome.FORGOTTEN: entry.copies_gone}
    fates = {one: position.fates.get(one, 0) + number for one, number in counted.items()}
    seen = position.seen + len(entry.landed) + entry.taken_out
    return RepairPosition(name, False, seen, {one: number for one, number in fates.items() if number})
