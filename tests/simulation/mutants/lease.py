"""A rollback whose worker holds it, or writes it, with less care."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from shared.core.store import Create, Document, Put, Update, Write
from shared.domain.rollback.rollback import ENDED_ROLLBACK_STATUSES, LEASE_DURATION, Rollback
from shared.engine import lease
from shared.engine.audited_commit import CommitDraft, prepare_commit
from shared.engine.checkpoints import Checkpointer
from shared.engine.lease import LeasedRollback


def _blind(write: Write) -> Write:
    match write:
        case Update():
            return replace(write, version=None)
        case Create():
            return Put(write.path, write.fields)
    return write


def _prepared(changed: Callable[[CommitDraft, list[Write]], list[Write]]) -> AbstractContextManager[Any]:
    honest = prepare_commit

    def prepared(
        rollback: Rollback, version: Any, draft: CommitDraft, commit_id: str, *, renew: bool
    ) -> tuple[Rollback, list[Write]]:
        after, writes = honest(rollback, version, draft, commit_id, renew=renew)
        return after, changed(draft, writes)

    return patch.object(lease, "prepare_commit", prepared)


def no_fence() -> AbstractContextManager[Any]:
    """Every commit of a worker lands, whoever has written since."""
    return _prepared(lambda draft, writes: [_blind(write) for write in writes])


def no_fence_on_intents() -> AbstractContextManager[Any]:
    """Only intents land unconditionally."""

    def changed(draft: CommitDraft, writes: list[Write]) -> list[Write]:
        intents = any(event.name == "step.begun" for event in draft.events)
        return [_blind(write) for write in writes] if intents else writes

    return _prepared(changed)


def due_at_lost_on_wait() -> AbstractContextManager[Any]:
    """Whoever lets go forgets to say when to look again."""

    def changed(draft: CommitDraft, writes: list[Write]) -> list[Write]:
        first, *others = writes
        lets_go = draft.changes.get("lease", 0) is None
        return [replace(first, fields={**first.fields, "due_at": None}), *others] if (lets_go) else writes

    return _prepared(changed)


def no_events_of_steps() -> AbstractContextManager[Any]:
    """Steps change, and the trail does not tell."""
    return patch.object(Checkpointer, "_build_events", lambda self, changed, now: iter(()))


def lease_by_wall_clock() -> AbstractContextManager[Any]:
    """The holder believes its own clock."""

    def lasts(self: LeasedRollback, seconds: float) -> bool:
        held = self._clock.now() - (self._version or self._clock.now())
        return held + timedelta(seconds=seconds) <= LEASE_DURATION

    return patch.object(LeasedRollback, "is_leased_for", lasts)


def lease_never_ends() -> AbstractContextManager[Any]:
    """The holder does not ask whether it still holds."""
    return patch.object(LeasedRollback, "is_leased_for", lambda self, seconds: True)


def takeover_ignores_the_lease() -> AbstractContextManager[Any]:
    """Any message takes a rollback from its living holder."""

    def free(rollback: Rollback, document: Document, message_id: str) -> bool:
        return rollback.status not in ENDED_ROLLBACK_STATUSES and rollback.due_at is not None

    return patch.object(lease, "_is_claimable", free)


def copies_count_as_deaths() -> AbstractContextManager[Any]:
    """Whoever takes a rollback over has seen its holder die."""
    return patch.object(lease, "DUPLICATE_WINDOW", timedelta(0))


def late_counts_as_dead() -> AbstractContextManager[Any]:
    """Whoever is late does not say that it lives."""
    return patch.object(LeasedRollback, "record_late_worker", lambda self: None)


def no_receipt() -> AbstractContextManager[Any]:
    """A commit of which the answer was lost counts as not landed."""
    honest = LeasedRollback._verify_receipt

    def forgetful(self: LeasedRollback, after: Rollback) -> bool:
        honest(self, after)
        return False

    return patch.object(LeasedRollback, "_verify_receipt", forgetful)


def every_worker_on_its_own_time() -> AbstractContextManager[Any]:
    """Times and deadlines by the clock of whichever instance works."""
    return patch.object(LeasedRollback, "now", lambda self: self._clock.now())


MUTANTS = (
    no_fence,
    no_fence_on_intents,
    due_at_lost_on_wait,
    no_events_of_steps,
    lease_by_wall_clock,
    lease_never_ends,
    takeover_ignores_the_lease,
    copies_count_as_deaths,
    late_counts_as_dead,
    no_receipt,
    every_worker_on_its_own_time,
)
