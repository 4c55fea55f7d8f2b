"""Documents written back, or put back as they were: what becomes of each, batch after batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from responders.data.erasure_ledger import ErasureLedger, read_ledger, update_ledger
from responders.data.repair.document_outcomes import RepairSelector, read_expiries
from shared.core import text
from shared.core.chunks import split_into_chunks
from shared.core.codec import encode
from shared.core.errors import Ambiguous, Moved, Rejected, RollbackError, Unavailable
from shared.core.store import Document, Update
from shared.domain.data.document import (
    MAX_REWRITE_BYTES,
    REWRITE_TIMEOUT_SECONDS,
    DocumentSnapshot,
    Rewrite,
    RewriteResult,
    is_same_value,
)
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import DocumentChange, JournalEntry
from shared.domain.data.repair.repair_plan import (
    WRITTEN_OUTCOMES,
    DocumentDecision,
    DocumentOutcome,
    RepairGoal,
    RepairPosition,
    SnapshotPair,
    advance_position,
)
from shared.domain.data.ttl import TtlField, has_expired
from shared.domain.deployments.inventory.inventory_parts import SourceObject
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.plan import Step
from shared.domain.rollback.rollback import Rollback
from shared.domain.rollback.write_ramp import WriteRamp
from shared.engine.steps.documents.batched import MAX_PORTION_SECONDS, consume_until
from shared.engine.steps.documents.restore import RestoreGoal
from shared.ports.groups import Ports
from shared.ports.storage import Vault
from shared.state.reader import read_entries_after

MayGoOn = Callable[[datetime | None], bool]
"""Whether a request may be sent now that must have landed by then; None: whenever."""


@dataclass
class DocumentRewriter:
    """What one worker writes back. Each verb is safe to repeat: it finds what it has done."""

    _ports: Ports
    _policy: Policy
    _rollback: Rollback
    _ramp: WriteRamp
    _may_go_on: MayGoOn
    """Asked before each request: controls, and whether we hold the rollback."""

    @property
    def _vault(self) -> Vault:
        return quarantine_vault(self._ports)

    def rewrite_portion(self, step: Step, goal: RepairGoal, position: RepairPosition) -> RepairPosition:
        """Write for some seconds; return the position. Raises: Unavailable, Rejected."""
        if goal.policy not in ("", self._policy.fingerprint):
            raise Rejected("another policy holds than the one by which people have agreed to it")
        return self._advance(position, self._repair_batches(step, goal, position))

    def restore_portion(self, step: Step, goal: RestoreGoal, position: RepairPosition) -> RepairPosition:
        """Put back what a repair wrote, unless changed or erased since; return the position."""
        return self._advance(position, self._restore_entries(step, goal, position))

    def _advance(self, position: RepairPosition, further: Iterator[RepairPosition]) -> RepairPosition:
        """The position after some seconds of it, by the newest ledger of people who were erased."""
        clock = self._ports.clock
        began = clock.monotonic()
        update_ledger(self._ports, self._policy)
        position = consume_until(clock, began + MAX_PORTION_SECONDS, position, further)
        return replace(position, seconds=round(position.seconds + clock.monotonic() - began, 1))

    def _repair_batches(
        self, step: Step, goal: RepairGoal, position: RepairPosition
    ) -> Iterator[RepairPosition]:
        expiries = read_expiries(self._ports, self._policy, goal.database)
        selector = RepairSelector(self._ports, self._policy, goal, expiries)
        for batch in selector.select_batches(position):
            changes = [
                _build_change(one.path, one.now, one.wanted, one.whose)
                for one in batch.fated
                if one.fate in WRITTEN_OUTCOMES
            ]
            landed = self._write_changes(step, goal.database, position.cursor, changes, selector.ledger)
            fated = [_update_fate(one, landed.get(one.path)) for one in batch.fated]
            position = advance_position(position, batch.pairs, fated, is_last=batch.is_last)
            yield position

    def _restore_entries(
        self, step: Step, goal: RestoreGoal, position: RepairPosition
    ) -> Iterator[RepairPosition]:
        ledger = read_ledger(self._ports, self._policy)
        expiries = read_expiries(self._ports, self._policy, goal.database)
        for name, document in read_entries_after(self._ports.store, goal.rollback, position.cursor):
            fated = self._restore_entry(step, goal, name, document.decode(JournalEntry), ledger, expiries)
            pairs = [SnapshotPair(name, None, None)] * len(fated)
            position = advance_position(position, pairs, fated, is_last=False)
            position = replace(position, cursor=name)
            yield position
        yield replace(position, is_over=True)

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
        fated = []
        changes = []
        for path, known in wanted.items():
            now, was = there[path], known.before
            is_as_written = now is None or written_at.get(path) in (None, now.updated_at)  # None: not known
            if was is not None and ledger is not None and ledger.is_version_erased(was, known.whose):
                fated.append(DocumentDecision(path, DocumentOutcome.ERASED))
            elif was is not None and has_expired(expiries, was, expired_by):
                fated.append(DocumentDecision(path, DocumentOutcome.EXPIRED))
            elif is_document_as_wanted(now, known) and is_as_written:
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
            if self._ports.store.get(path).decode(JournalEntry).kept == entry.kept:
                raise
            raise Unavailable("copies of people who were erased are being removed") from None

    def _write_changes(
        self,
        step: Step,
        database: str,
        cursor: str,
        changes: Sequence[DocumentChange],
        ledger: ErasureLedger | None,
    ) -> dict[str, RewriteResult]:
        """Store copies, write, journal; Moved: changed by others. Raises: Unavailable, Rejected."""
        name = quarantine.entry_name(step.name, cursor)
        path = f"{quarantine.journal_path(self._rollback.id)}/{name}"
        document = self._ports.store.get(path)
        if document.fields is None and not changes:
            return {}
        meant, done = self._read_earlier_attempt(database, document)
        to_do = {one.path: one for one in changes if one.path not in done}
        copies = [*(meant | to_do).values()]
        content = quarantine.pack_changes(copies)
        copies_name = quarantine.object_name(self._policy.system, self._rollback.id, content)
        kept = self._vault.keep(copies_name, content)
        of_erased = ledger is not None and any(is_previous_version_erased(one, ledger) for one in copies)
        entry = self._build_entry(name, step, database, kept, done, of_erased)
        version = self._ports.store.commit([document.build_write(entry)])
        is_first = document.fields is None
        sent, failure = self._send_changes(step, database, list(to_do.values()), is_first=is_first)
        done |= sent
        if sent:
            entry = self._build_entry(name, step, database, kept, done, of_erased)
            self._ports.store.commit([Update(path, encode(entry), version)])
        if failure is not None:
            raise failure
        return done

    def _read_earlier_attempt(
        self, database: str, document: Document
    ) -> tuple[dict[str, DocumentChange], dict[str, RewriteResult]]:
        """Return what an earlier attempt of this batch meant, and what of it landed."""
        entry = document.find(JournalEntry)
        if entry is None:
            return {}, {}
        meant = {one.path: one for one in quarantine.unpack_changes(self._vault.read(entry.kept))}
        done: dict[str, RewriteResult] = {one.path: one.at for one in entry.landed}
        unknown = [one for path, one in meant.items() if path not in done]
        return meant, done | self._find_applied_changes(database, unknown)

    def _send_changes(
        self, step: Step, database: str, changes: Sequence[DocumentChange], *, is_first: bool
    ) -> tuple[dict[str, RewriteResult], RollbackError | None]:
        """What became of each that is known: a request at a time, each sent once it may be.

        And why it is not known of the others, or they were not sent; None: it is known of all.
        `is_first`: nobody has sent any of them before; what stands there then is somebody else's.
        """
        landed: dict[str, RewriteResult] = {}
        for part in split_into_chunks(changes, len(changes), MAX_REWRITE_BYTES, quarantine.estimate_size):
            makes_again = any(one.before is None for one in part)
            try:
                self._wait(len(part), step.deadline if makes_again else None)
                answers = self._send_rewrites(database, part)
                if not is_first:  # an earlier request of ours may be what they have moved by
                    moved = [one for one in part if isinstance(answers[one.path], Moved)]
                    answers |= self._find_applied_changes(database, moved)
            except RollbackError as failure:
                if makes_again and isinstance(failure, Ambiguous):  # it must not land later
                    self._ports.clock.sleep(REWRITE_TIMEOUT_SECONDS)
                return landed, failure
            silent = {path: one for path, one in answers.items() if isinstance(one, Unavailable)}
            landed |= {path: one for path, one in answers.items() if path not in silent}
            for unanswered in silent.values():
                return landed, unanswered
        return landed, None

    def _send_rewrites(self, database: str, changes: Sequence[DocumentChange]) -> dict[str, RewriteResult]:
        """Send one request; an unknown result is Unavailable. Raises: Unavailable, Rejected."""
        rewrites = [
            Rewrite(one.path, one.after, one.before.updated_at if one.before else None) for one in changes
        ]
        answers = self._ports.system(self._policy.system).rewrites.rewrite(database, rewrites)
        return dict(zip((one.path for one in changes), answers, strict=True))

    def _wait(self, writes: int, deadline: datetime | None) -> None:
        """Let the database get used to them. Raises: Unavailable, when nothing may be done now."""
        clock = self._ports.clock
        delay = self._ramp.reserve_writes(writes, clock.monotonic())
        if delay:
            clock.sleep(delay)
        if not self._may_go_on(deadline):
            raise Unavailable("nothing may be written now")

    def _find_applied_changes(
        self, database: str, changes: Sequence[DocumentChange]
    ) -> dict[str, datetime | None]:
        """Those that stand there as they are wanted, and since when: it was us."""
        if not changes:
            return {}
        documents = self._ports.system(self._policy.system).documents
        there = documents.get(database, sorted(one.path for one in changes), None)
        return {
            one.path: version.updated_at if version is not None else None
            for one in changes
            if is_document_as_wanted(version := there[one.path], one)
        }

    def _build_entry(
        self,
        name: str,
        step: Step,
        database: str,
        kept: SourceObject,
        landed: Mapping[str, RewriteResult],
        of_erased: bool,
    ) -> JournalEntry:
        done = {path: at for path, at in landed.items() if at is None or isinstance(at, datetime)}
        return JournalEntry(
            name=name,
            step=step.name,
            database=database,
            kept=kept,
            landed=tuple(quarantine.WrittenDocument(path, at) for path, at in done.items()),
            left=tuple(
                quarantine.SkippedDocument(path, text.shorten(str(why)))
                for path, why in landed.items()
                if path not in done
            ),
            is_of_erased=of_erased,
            expires_at=self._rollback.expires_at,
        )


def _build_change(
    path: str, now: DocumentSnapshot | None, wanted: DocumentSnapshot | None, whose: tuple[str, ...] = ()
) -> DocumentChange:
    if wanted is None:
        return DocumentChange(path, now, None, whose=whose)
    return DocumentChange(path, now, wanted.fields, wanted.updated_at, whose)


def _update_fate(fated: DocumentDecision, landed: RewriteResult) -> DocumentDecision:
    match landed:
        case Moved():
            return DocumentDecision(fated.path, DocumentOutcome.MEANWHILE, fated.now)
        case Rejected():
            return DocumentDecision(fated.path, DocumentOutcome.REFUSED, fated.now)
    return fated


def quarantine_vault(ports: Ports) -> Vault:
    """Where copies are kept. Raises: Rejected, where no bucket is named."""
    if ports.buckets.quarantine is None:
        raise Rejected("there is no bucket for what a repair changes: nothing is written")
    return ports.buckets.quarantine


def is_previous_version_erased(change: DocumentChange, ledger: ErasureLedger) -> bool:
    """Whether what stood there before is of somebody erased since."""
    return change.before is not None and ledger.is_version_erased(change.before, change.whose)


def is_document_as_wanted(version: DocumentSnapshot | None, change: DocumentChange) -> bool:
    """Whether a document is as the change wants it."""
    if version is None or change.after is None:
        return version is None and change.after is None
    return is_same_value(version.fields, change.after)
