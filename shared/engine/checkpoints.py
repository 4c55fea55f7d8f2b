"""The steps as committed: what they have become since is written, with what may go on after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

from shared.core.codec import encode
from shared.core.store import Put, Update, Write
from shared.domain.audit.chain import Event, create_event
from shared.domain.rollback.plan import ENDED_STEP_STATUSES, Step, StepStatus, step_path
from shared.domain.rollback.rollback import LEASE_DURATION, Rollback
from shared.domain.rollback.write_quota import SavedPace, quota_path
from shared.engine.audited_commit import CommitDraft
from shared.engine.lease import LeasedRollback

MIN_COMMIT_INTERVAL_SECONDS = 1.0
"""Firestore is comfortable with one write a second to a document."""
LEASE_RENEWAL_INTERVAL_SECONDS = LEASE_DURATION.total_seconds() / 3
WriteBuilder = Callable[[], Sequence[Write]]
_number = attrgetter("number")


class Checkpointer:
    """Results and intents in as few commits as the store likes, and the lease's renewals."""

    def __init__(
        self,
        tenure: LeasedRollback,
        saved: Mapping[str, Step],
        steps: StepTable,
        pace_left: Callable[[datetime], SavedPace],
        build_first_writes: WriteBuilder,
    ) -> None:
        """`saved` is what was read; `steps`, in the caller's hands, what is known since.

        An intent that must not land is taken back there. `pace_left` tells how fast the next worker
        may go on; it rides along with every commit. `build_first_writes`: see Engine.
        """
        self._tenure = tenure
        self._saved = dict(saved)
        self._steps = steps
        self._pace_left = pace_left
        self._build_first_writes = build_first_writes

    def commit_if_due(self, *, leaving: bool) -> None:
        """Commit results after a second, the lease after ten. Raises: as LeasedRollback.commit."""
        since = self._tenure.seconds_since_commit
        at_once = leaving or not self._tenure.commits
        if (self.is_commit_needed() and (at_once or since >= MIN_COMMIT_INTERVAL_SECONDS)) or (
            since >= LEASE_RENEWAL_INTERVAL_SECONDS
        ):
            self._tenure.commit(self._build_draft)
            self._saved = dict(self._steps)
            self._steps.touched.clear()

    def is_commit_needed(self) -> bool:
        """Whether a result or an intent is worth a commit; an operation's name can wait."""
        return any(not self.is_committed(self._steps[name]) for name in self._steps.touched)

    def seconds_until_next(self) -> float:
        """How long until what is waited for may be committed."""
        return MIN_COMMIT_INTERVAL_SECONDS - self._tenure.seconds_since_commit

    def is_committed(self, step: Step) -> bool:
        """Whether the step, as far as others must know of it, has landed."""
        saved = self._saved[step.name]
        return saved is step or _committed_state(saved) == _committed_state(step)

    def is_finished(self) -> bool:
        """Whether every step has ended, and that is committed."""
        return all(step.status in ENDED_STEP_STATUSES for step in self._saved.values())

    def _build_draft(self, rollback: Rollback) -> CommitDraft:
        """Everything known and not yet committed; no intents when the rollback is to stop."""
        if rollback.cancel_requested:  # a person's word came before the intents that never landed
            for name, saved in self._saved.items():
                if saved.status is StepStatus.PENDING:
                    self._steps[name] = saved
        now = self._tenure.now()
        changed = [step for name, step in self._steps.items() if step != self._saved[name]]
        in_flight = sum(step.may_be_in_flight for step in self._steps.begun_steps())
        changes: dict[str, object] = {"due_at": now + 2 * LEASE_DURATION, "in_flight": in_flight}
        if any(step.status is not self._saved[step.name].status for step in changed):
            changes["held_since"] = None
        first: Sequence[Write] = ()
        if rollback.started_at is None and any(step.begun_at for step in changed):
            changes["started_at"] = now
            first = self._build_first_writes()
        return CommitDraft(
            events=tuple(self._build_events(changed, now)) or (create_event("lease.renewed", now, "worker"),),
            changes=changes,
            writes=(
                *first,
                *(Update(step_path(rollback.id, step.name), encode(step)) for step in changed),
                Put(quota_path(rollback.system), encode(self._pace_left(now))),
            ),
        )

    def _build_events(self, changed: Iterable[Step], now: datetime) -> Iterator[Event]:
        for step in changed:
            if not self.is_committed(step):
                yield create_event(
                    f"step.{step.status.value.lower()}",
                    now,
                    "worker",
                    step=step.name,
                    before=self._saved[step.name].status,
                    seen=step.seen,
                    attempts=step.attempts,
                    operation=step.operation,
                    note=step.note,
                )


def _committed_state(step: Step) -> tuple[object, ...]:
    """What others must know of a step before anything follows from it."""
    return (step.status, step.seen, step.deadline)


class StepTable(dict[str, Step]):
    """Steps by name, in the plan's order; of a thousand it knows those that are under way."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        super().__init__(steps)
        self.touched: set[str] = set()
        """Names of those that were set since whoever keeps them has emptied this."""
        self._begun = {name for name, step in steps.items() if step.status is StepStatus.BEGUN}

    def __setitem__(self, name: str, step: Step) -> None:
        super().__setitem__(name, step)
        self.touched.add(name)
        if step.status is StepStatus.BEGUN:
            self._begun.add(name)
        else:
            self._begun.discard(name)

    def begun_steps(self) -> list[Step]:
        """Those that have begun and not ended, in the plan's order."""
        return sorted([self[name] for name in self._begun], key=_number)
