"""Documents written back in batches: a copy of what stood there, the writes, what landed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from responders.erasing import Erasing, Ledger, read_ledger
from responders.repairs.expiring import read_expiries
from responders.repairs.mending import Mending
from shared import journals, quarantine, repair, shortened
from shared.buckets import Vault
from shared.documents import decode, encode
from shared.errors import Ambiguous, Moved, Rejected, RollbackError, Unavailable
from shared.expiry import Expiry, has_expired
from shared.inventory import Source
from shared.parts import parted
from shared.plan import Step
from shared.policy import Policy
from shared.ports import Document, Ports, Update, written
from shared.quarantine import Change, Entry
from shared.ramp import Ramp
from shared.repair import WRITTEN, Fate, Fated, Goal, Pair, Position
from shared.steps.portions import PORTION_SECONDS
from shared.steps.put_back import Goal as PutBackGoal
from shared.versions import (
    REWRITE_BYTES,
    REWRITE_SECONDS,
    Landed,
    Rewrite,
    Version,
    same,
)

MayGoOn = Callable[[datetime | None], bool]
"""Whether a request may be sent now that must have landed by then; None: whenever."""


class Ours(Struct, frozen=True):
    """For which rollback documents are written."""

    rollback: str
    expires_at: datetime | None = None


class Rewriting:
    """What one worker writes back. Each verb is safe to repeat: it finds what it has done."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        ours: Ours,
        ramp: Ramp,
        may_go_on: MayGoOn,
    ) -> None:
        """`may_go_on` is asked before each request: controls, and whether we hold the rollback."""
        self._ports = ports
        self._policy = policy
        self._ours = ours
        self._ramp = ramp
        self._may_go_on = may_go_on

    def portion(self, step: Step, goal: Goal, position: Position) -> Position:
        """The position after some seconds; what was written until then stays so.

        Raises: Unavailable, Rejected, when nothing came of it.
        """
        if goal.policy not in ("", self._policy.fingerprint):
            raise Rejected("another policy holds than the one by which people have agreed to it")
        clock, before = self._ports.clock, position
        began = clock.monotonic()
        self._learn()  # what comes back must not be of somebody erased just now
        expiries = read_expiries(self._ports, self._policy, goal.database)
        mending = Mending(self._ports, self._policy, goal, expiries)
        try:
            for batch in mending.batches(position):
                fated = self._written(step, goal, position.cursor, batch.fated)
                position = repair.passed(position, batch.pairs, fated, is_last=batch.is_last)
                if clock.monotonic() >= began + PORTION_SECONDS:
                    break
        except RollbackError:
            if position == before:
                raise
        return repair.timed(position, clock.monotonic() - began)

    def return_portion(self, step: Step, goal: PutBackGoal, position: Position) -> Position:
        """The same for what another rollback has written, which is put back as it stood there.

        A document that is not as that one has left it stays; so does who was erased since.
        """
        clock, before = self._ports.clock, position
        began = clock.monotonic()
        self._learn()
        ledger = read_ledger(self._ports, self._policy)
        expiries = read_expiries(self._ports, self._policy, goal.database)
        try:
            for name, document in journals.behind(
                self._ports.store, goal.rollback, position.cursor
            ):
                entry = decode(Entry, document.fields)
                fated = self._returned(step, goal, name, entry, ledger, expiries)
                pairs = [Pair(name, None, None)] * len(fated)
                position = repair.passed(position, pairs, fated, is_last=False)
                if clock.monotonic() >= began + PORTION_SECONDS:
                    break
            else:
                position = replace(position, is_over=True)
        except RollbackError:
            if position == before:
                raise
        return repair.timed(position, clock.monotonic() - began)

    def _learn(self) -> None:
        """Bring the ledger of the erased up to date. Raises: Unavailable, Rejected."""
        Erasing(self._ports, {self._policy.system: self._policy}).learn_now()

    def _returned(
        self,
        step: Step,
        goal: PutBackGoal,
        name: str,
        entry: Entry,
        ledger: Ledger | None,
        expiries: Sequence[Expiry],
    ) -> list[Fated]:
        """What becomes of each document of one batch, though nobody could tell what had landed."""
        before = self._copies(goal, name, entry)
        left = {one.path for one in entry.left}
        wanted = {one.path: one for one in before if one.path not in left}
        there = self._ports.documents(self._policy.system).get(goal.database, sorted(wanted), None)
        expired_by = self._ports.clock.now()
        fated: list[Fated] = []
        changes: list[Change] = []
        for path, known in wanted.items():
            now, was = there[path], known.before
            if was is not None and ledger is not None and ledger.forbids(was, known.whose):
                fated.append(Fated(path, Fate.ERASED))
            elif was is not None and has_expired(expiries, was, expired_by):
                fated.append(Fated(path, Fate.EXPIRED))
            elif _is(now, known):
                changes.append(_change(path, now, was, known.whose))
            elif _is(now, _change(path, None, was)):
                fated.append(Fated(path, Fate.RETURNED))
            else:
                fated.append(Fated(path, Fate.MEANWHILE))
        landed = self.changed(step, goal.database, name, changes)
        after = (_after(Fated(one.path, Fate.RETURNED), landed.get(one.path)) for one in changes)
        return [*fated, *after]

    def _copies(self, goal: PutBackGoal, name: str, entry: Entry) -> list[Change]:
        """What a batch has kept. Raises: Unavailable, Rejected."""
        try:
            return quarantine.unpacked(self._vault.read(entry.kept))
        except Rejected:
            path = f"{quarantine.journal(goal.rollback)}/{name}"
            now = decode(Entry, self._ports.store.get(path).fields)
            if now.kept == entry.kept:
                raise
            raise Unavailable("copies of people who were erased are being removed") from None

    def changed(
        self, step: Step, database: str, cursor: str, changes: Sequence[Change]
    ) -> dict[str, Landed]:
        """What became of each change: a copy is kept and on record before, the journal tells after.

        Moved: somebody has written it since. Raises: Unavailable; Rejected, when we may not.
        """
        name = quarantine.entry_name(step.name, cursor)
        path = f"{quarantine.journal(self._ours.rollback)}/{name}"
        document = self._ports.store.get(path)
        if document.fields is None and not changes:
            return {}
        meant, done = self._tried(database, document)
        to_do = {one.path: one for one in changes if one.path not in done}
        kept = self._vault.keep(*self._content((meant | to_do).values()))
        entry = self._entry(name, step, database, kept, done)
        version = self._ports.store.commit([written(document, encode(entry))])
        sent, failure = self._sent(step, database, list(to_do.values()))
        done |= sent
        if sent:
            told = encode(self._entry(name, step, database, kept, done))
            self._ports.store.commit([Update(path, told, version)])
        if failure is not None:
            raise failure
        return done

    def _tried(
        self, database: str, document: Document
    ) -> tuple[dict[str, Change], dict[str, Landed]]:
        """What this batch was meant to change when it was begun before, and what of it landed.

        What is decided now may be another version: what stands there is ours if it is as it was
        meant then.
        """
        if document.fields is None:
            return {}, {}
        entry = decode(Entry, document.fields)
        meant = {one.path: one for one in quarantine.unpacked(self._vault.read(entry.kept))}
        done: dict[str, Landed] = {one.path: one.at for one in entry.landed}
        unknown = [one for path, one in meant.items() if path not in done]
        return meant, done | self._standing(database, unknown)

    def _sent(
        self, step: Step, database: str, changes: Sequence[Change]
    ) -> tuple[dict[str, Landed], RollbackError | None]:
        """What became of each that is known: a request at a time, each sent once it may be.

        And why it is not known of the others, or they were not sent; None: it is known of all.
        """
        landed: dict[str, Landed] = {}
        for part in parted(changes, len(changes), REWRITE_BYTES, quarantine.size):
            makes_again = any(one.before is None for one in part)
            try:
                self._wait(len(part), step.deadline if makes_again else None)
                answers = self._rewritten(database, part)
            except RollbackError as failure:
                if makes_again and isinstance(failure, Ambiguous):  # it must not land later
                    self._ports.clock.sleep(REWRITE_SECONDS)
                return landed, failure
            silent = {path: one for path, one in answers.items() if isinstance(one, Unavailable)}
            landed |= {path: one for path, one in answers.items() if path not in silent}
            for unanswered in silent.values():
                return landed, unanswered
        return landed, None

    def _rewritten(self, database: str, changes: Sequence[Change]) -> dict[str, Landed]:
        """What became of each by one request, Unavailable where it is not known.

        Raises: Unavailable; Rejected, when we may not.
        """
        rewrites = [
            Rewrite(one.path, one.after, one.before.updated_at if one.before else None)
            for one in changes
        ]
        answers = self._ports.rewrites(self._policy.system).rewrite(database, rewrites)
        landed = dict(zip((one.path for one in changes), answers, strict=True))
        moved = [one for one in changes if isinstance(landed[one.path], Moved)]
        return landed | self._standing(database, moved)

    def _written(self, step: Step, goal: Goal, cursor: str, fated: Iterable[Fated]) -> list[Fated]:
        """The documents with what became of them."""
        known = list(fated)
        changes = [
            _change(one.path, one.now, one.wanted, one.whose)
            for one in known
            if one.fate in WRITTEN
        ]
        landed = self.changed(step, goal.database, cursor, changes)
        return [_after(one, landed.get(one.path)) for one in known]

    def _content(self, changes: Iterable[Change]) -> tuple[str, bytes]:
        content = quarantine.packed(changes)
        return quarantine.name(self._policy.system, self._ours.rollback, content), content

    def _wait(self, writes: int, deadline: datetime | None) -> None:
        """Let the database get used to them. Raises: Unavailable, when nothing may be done now."""
        clock = self._ports.clock
        delay = self._ramp.delay(writes, clock.monotonic())
        if delay:
            clock.sleep(delay)
        if not self._may_go_on(deadline):
            raise Unavailable("nothing may be written now")

    def _standing(self, database: str, changes: Sequence[Change]) -> dict[str, Landed]:
        """Those that stand there as they are wanted, and since when: it was us."""
        if not changes:
            return {}
        documents = self._ports.documents(self._policy.system)
        there = documents.get(database, sorted(one.path for one in changes), None)
        return {
            one.path: version.updated_at if version is not None else None
            for one in changes
            if _is(version := there[one.path], one)
        }

    def _entry(
        self, name: str, step: Step, database: str, kept: Source, landed: Mapping[str, Landed]
    ) -> Entry:
        """What the journal tells of a batch."""
        done = {path: at for path, at in landed.items() if at is None or isinstance(at, datetime)}
        return Entry(
            name=name,
            step=step.name,
            database=database,
            kept=kept,
            landed=tuple(quarantine.Landed(path, at) for path, at in done.items()),
            left=tuple(
                quarantine.Left(path, shortened.text(str(why)))
                for path, why in landed.items()
                if path not in done
            ),
            expires_at=self._ours.expires_at,
        )

    @property
    def _vault(self) -> Vault:
        vault = self._ports.quarantine
        if vault is None:
            raise Rejected("there is no bucket for what a repair changes: nothing is written")
        return vault


def _change(
    path: str, now: Version | None, wanted: Version | None, whose: tuple[str, ...] = ()
) -> Change:
    """A document as it stands there, and as it is wanted."""
    if wanted is None:
        return Change(path, now, None, whose=whose)
    return Change(path, now, wanted.fields, wanted.updated_at, whose)


def _is(version: Version | None, change: Change) -> bool:
    """Whether a document is as the change wants it."""
    if version is None or change.after is None:
        return version is None and change.after is None
    return same(version.fields, change.after)


def _after(fated: Fated, landed: Landed) -> Fated:
    """What became of a document that was to be written."""
    match landed:
        case Moved():
            return Fated(fated.path, Fate.MEANWHILE, fated.now)
        case Rejected():
            return Fated(fated.path, Fate.REFUSED, fated.now)
    return fated
