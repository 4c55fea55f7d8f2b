"""Holding a rollback: claim it, write it under its fence, let it go.

Whoever claims a rollback raises its fence. Every later commit of the holder updates the rollback
document under the version that the holder knows, so one of a worker that was overtaken cannot
land. A person's command writes the same document and keeps the fence: the holder folds that in
and composes its commit again.

    holder                     person                    successor
    claim      fence 7
    commit 1   ok
                               pause    fence 7
    commit 2   Moved: same fence, fold, compose again
    commit 2'  ok
    (pauses for minutes)
                                                         claim      fence 8
    commit 3   Moved: higher fence → LostRollback
    late       fence 8: counted as late, and no more as dead
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from shared.core.codec import SCHEMA_VERSION
from shared.core.errors import Ambiguous, LostRollback, Moved, Refused, Throttled, Unavailable
from shared.core.runtime import Clock, Ids
from shared.core.store import Document, Reader, Store, Write, retry_on_conflict
from shared.domain.audit.chain import create_event
from shared.domain.rollback.rollback import LEASE_DURATION, Lease, Rollback, audit_entry_path, rollback_path
from shared.engine.audited_commit import CommitDraft, prepare_commit

MAX_COMMIT_ATTEMPTS = 10
DUE_TIME_SKEW_TOLERANCE = timedelta(seconds=2)
"""How far the clock that wrote `due_at` may be ahead of the store's."""
RETRY_PAUSE_SECONDS = 0.2
DUPLICATE_WINDOW = timedelta(seconds=1)
"""The work subscription's shortest backoff: what claims sooner after its holder is no redelivery,
but a copy of the message, and nobody has died."""
MAX_TAKEOVERS = 3
"""Deaths without progress: then something kills every worker that touches this rollback."""
MAX_LATE_TAKEOVERS = 12
"""Take-overs without progress, whether from the dead or the late: even so it ends."""
ComposeCommit = Callable[[Rollback], CommitDraft | None]
"""Decides a commit from the newest state of the rollback; called again when that has changed."""


@dataclass
class LeasedRollback:
    """A claimed rollback and its one committer.

    The claim was made at `_version` by the store's clock, and sent at `_renewed`.
    """

    _store: Store
    _clock: Clock
    _ids: Ids
    rollback: Rollback
    _version: datetime | None
    _renewed: float

    def __post_init__(self) -> None:
        self._claimed_at = self._version or self._clock.now()
        self._claim_sent = self._renewed
        self._claim_answered = self._clock.monotonic()
        self._fence = self.rollback.fence
        self.commits = 0
        """Commits that landed under this tenure."""

    def now(self) -> datetime:
        """The store's time, ahead by no more than the claim took: what all instances agree on.

        An instance's own clock may be minutes wrong, or jump; its stopwatch does not.
        """
        return self._claimed_at + timedelta(seconds=self._clock.monotonic() - self._claim_sent)

    def is_past(self, moment: datetime) -> bool:
        """Whether the store's time has certainly passed that moment."""
        return self._claimed_at + timedelta(seconds=self._clock.monotonic() - self._claim_answered) > moment

    @property
    def seconds_since_commit(self) -> float:
        """How long ago the newest commit was sent: the lease runs from there."""
        return self._clock.monotonic() - self._renewed

    def commit(self, compose: ComposeCommit) -> None:
        """Land `compose`'s commit once, on the newest state. Raises: LostRollback, Unavailable."""
        too_fast = f"rollback {self.rollback.id}: its documents change too fast to commit"
        retry_on_conflict(partial(self._commit, compose), MAX_COMMIT_ATTEMPTS, too_fast)

    def _commit(self, compose: ComposeCommit) -> None:
        """The same on the state that is known. Raises: Moved, when somebody wrote first."""
        draft = compose(self.rollback)
        if draft is None:
            return
        self.require_lease()
        after, writes = prepare_commit(
            self.rollback, self._version, _mark_alive(draft), self._ids(), renew=True
        )
        sent = self._clock.monotonic()
        self._land(after, writes)
        self._renewed = sent
        self.commits += 1

    def transact(self, compose: Callable[[Reader, Rollback], CommitDraft | None]) -> bool:
        """Commit over consistent reads, unless None; return whether. Raises: as `commit`."""
        commit_id = self._ids()
        landed: list[Rollback] = []

        def work(reader: Reader) -> Sequence[Write]:
            landed.clear()
            document = reader.get(rollback_path(self.rollback.id))
            current = document.decode(Rollback)
            if current.commit_id == commit_id:  # landed before, and the answer was lost
                landed.append(current)
                return []
            if current.fence != self.rollback.fence:
                raise LostRollback(f"{current.id}: fence {current.fence} stands")
            self.rollback, self._version = current, document.version
            draft = compose(reader, current)
            if draft is None:
                return []
            after, writes = prepare_commit(
                current, document.version, _mark_alive(draft), commit_id, renew=True
            )
            landed.append(after)
            return writes

        while True:
            self.require_lease()
            sent = self._clock.monotonic()
            try:
                version = self._store.transact(work)
            except (Ambiguous, Throttled, Moved):
                self._clock.sleep(RETRY_PAUSE_SECONDS)
                continue
            if not landed:
                return False
            self.rollback = landed[0]
            if version is not None:
                self._version, self._renewed = version, sent
            self.commits += 1
            return True

    def is_leased_for(self, seconds: float) -> bool:
        """Whether the lease outlasts that many seconds more."""
        return self.seconds_since_commit + seconds <= LEASE_DURATION.total_seconds()

    def require_lease(self) -> None:
        """Return while the lease runs. Raises: LostRollback."""
        if not self.is_leased_for(0.0):
            raise LostRollback(f"{self.rollback.id}: the lease ran out")

    def record_late_worker(self) -> None:
        """Record that this late worker has not died. Raises: Moved, if surpassed; Unavailable."""
        document = self._store.get(rollback_path(self.rollback.id))
        current = document.find(Rollback)
        if current is None or current.has_ended or self._fence < current.fence - current.takeovers:
            return
        told = create_event("rollback.worker-late", document.read_at, "worker", fence=self._fence)
        draft = CommitDraft((told,), {"late": current.late + 1})
        _, writes = prepare_commit(current, document.version, draft, self._ids(), renew=False)
        self._store.commit(writes)

    def _land(self, after: Rollback, writes: list[Write]) -> None:
        """Land the commit. Raises: Moved, when it has not; the newest state is known then, too."""
        while True:
            try:
                self._version = self._store.commit(writes)
            except (Ambiguous, Throttled):
                self._clock.sleep(RETRY_PAUSE_SECONDS)
                self.require_lease()  # then the identical commit again: its receipt tells whose it was
            except Moved:
                if self._verify_receipt(after):
                    return
                raise
            else:
                self.rollback = after
                return

    def _verify_receipt(self, after: Rollback) -> bool:
        """Whether our commit is the one that stands in the way of its own repetition."""
        receipt = self._store.get(audit_entry_path(after.id, after.sequence))
        landed = receipt.fields is not None and receipt.fields["commit_id"] == after.commit_id
        current = self._store.get(rollback_path(after.id))
        self.rollback = current.decode(Rollback)
        self._version = current.version
        if self.rollback.fence > after.fence:
            raise LostRollback(f"{after.id}: fence {self.rollback.fence} stands")
        return landed


def _mark_alive(draft: CommitDraft) -> CommitDraft:
    """The draft of a worker that has come so far: it has not died over this rollback."""
    return replace(draft, changes={"takeovers": 0, "late": 0, **draft.changes})


def give_up_reason(rollback: Rollback) -> str:
    """Why no further worker is to try its luck; empty while one may."""
    if rollback.takeovers - rollback.late > MAX_TAKEOVERS:
        return f"{MAX_TAKEOVERS} consecutive workers crashed without progress"
    if rollback.takeovers > MAX_LATE_TAKEOVERS:
        late = f"{rollback.late} of them were late"
        return f"{MAX_LATE_TAKEOVERS} consecutive workers made no progress; {late}"
    return ""


def claim_rollback(
    store: Store, clock: Clock, ids: Ids, rollback_id: str, message_id: str, systems: Container[str]
) -> LeasedRollback | None:
    """Claim a due rollback; None: not due, or another's. Raises: Refused, Unavailable."""

    def claimed() -> LeasedRollback | None:
        document = store.get(rollback_path(rollback_id))
        if document.fields is None:
            return None
        if document.fields.get("schema") != SCHEMA_VERSION:
            raise Unavailable(f"rollback {rollback_id}: written by a newer version")
        found = document.decode(Rollback)
        if found.system not in systems:
            raise Refused(f"rollback {rollback_id}: no policy for the system {found.system}")
        if not _is_claimable(found, document, message_id):
            return None
        return _take_over(store, clock, ids, found, document, message_id)

    return retry_on_conflict(claimed, MAX_COMMIT_ATTEMPTS, f"rollback {rollback_id}: claimed by others")


def _is_claimable(rollback: Rollback, document: Document, message_id: str) -> bool:
    """Whether this message may take the rollback now, judged by the store's own clock."""
    if rollback.has_ended or rollback.due_at is None:
        return False
    if rollback.lease is None:
        return rollback.due_at <= document.read_at + DUE_TIME_SKEW_TOLERANCE
    if rollback.lease.message_id == message_id:
        return True  # our message came again: its first worker is dead, or has refused it
    return document.read_at - rollback.lease.renewed_at > LEASE_DURATION


def _take_over(
    store: Store, clock: Clock, ids: Ids, found: Rollback, document: Document, message_id: str
) -> LeasedRollback:
    """The tenure, once our claim has landed. Raises: Moved, when somebody wrote first."""
    holder = ids()
    claimed = create_event(
        "rollback.claimed",
        document.read_at,
        "worker",
        holder=holder,
        message=message_id,
        from_holder=found.lease.holder if found.lease else None,
    )
    died = found.lease is not None and document.read_at - found.lease.renewed_at >= DUPLICATE_WINDOW
    draft = CommitDraft(
        (claimed,),
        {
            "fence": found.fence + 1,
            "lease": Lease(holder, message_id, document.read_at),
            "takeovers": found.takeovers + died,
            "due_at": document.read_at + 2 * LEASE_DURATION,
        },
    )
    raised = replace(found, fence=found.fence + 1)
    commit_id = ids()
    sent = clock.monotonic()
    after, writes = prepare_commit(raised, document.version, draft, commit_id, renew=True)
    while True:
        try:
            version = store.commit(writes)
        except (Ambiguous, Throttled):
            clock.sleep(RETRY_PAUSE_SECONDS)
            if clock.monotonic() - sent > LEASE_DURATION.total_seconds():
                raise
        except Moved:
            current = store.get(rollback_path(found.id))
            if current.fields is None or current.fields["commit_id"] != commit_id:
                raise
            return LeasedRollback(store, clock, ids, after, current.version, sent)
        else:
            return LeasedRollback(store, clock, ids, after, version, sent)
