"""The steps in one worker's hands: as committed, and as known since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from math import isinf

from msgspec import Struct
from msgspec.structs import replace

from shared import plan as plans
from shared.audit import Event, event
from shared.documents import encode
from shared.errors import Ambiguous, Moved, Rejected, Throttled, Unavailable
from shared.plan import ENDED, Step, StepStatus
from shared.policy import Execution
from shared.ports import Clock, Put, Update
from shared.quota import Pace, PaceLeft
from shared.quota import path as quota_path
from shared.rollback import LEASE, Rollback
from shared.steps import Kind, Look, Verdict
from shared.tenure import Draft, Tenure

COMMIT_GAP_SECONDS = 1.0
"""Firestore is comfortable with one write a second to a document."""
RENEW_AFTER_SECONDS = LEASE.total_seconds() / 3
INTENTS_AHEAD_SECONDS = 5.0
"""Intents are written for the tokens of that long, so that commits stay in bulk."""
LOOK_AGAIN_SECONDS = 1.0
SENT_WITHIN_SECONDS = 8.0
"""How long after its intent an unconditional effect may be sent, without another intent."""


class Sent(Struct, frozen=True):
    """The effect was sent; the platform works on it under this name."""

    operation: str


class Withheld(Struct, frozen=True):
    """The effect was due, and something forbids it."""

    reason: str


class Carrying:
    """What is known of each step, what may begin, what must be committed, what is to be asked."""

    def __init__(
        self,
        clock: Clock,
        kinds: Mapping[str, Kind],
        execution: Execution,
        tenure: Tenure,
        steps: Mapping[str, Step],
        pace: Pace,
    ) -> None:
        self._clock = clock
        self._kinds = kinds
        self._execution = execution
        self._tenure = tenure
        self._saved = dict(steps)
        self._steps = {name: self._taken_over(step) for name, step in steps.items()}
        self._calls: dict[str, bool] = {}
        """Calls that run, and whether a token was taken for each."""
        self._loose = {
            name for name, step in steps.items() if step.status is StepStatus.BEGUN and step.writes
        }
        """Steps whose effect may be on its way: a dead worker's, until they are looked at; ours,
        from sending on."""
        self._next_look: dict[str, float] = {}
        order = tenure.rollback.order
        self._batch_size = (order and order.batch_size) or execution.batch_size
        self._delay = (order and order.delay_seconds) or execution.delay.total_seconds()
        self._bucket = pace.bucket
        self._batch_over_at = pace.batch_over_at

    # What the calls found

    def fold(self, results: Iterable[tuple[str, object]]) -> None:
        """Take in the ends of calls. Raises: what a call raised that is no RollbackError."""
        for name, result in results:
            step = self._steps[name]
            if self._calls.pop(name) and not isinstance(result, Sent | Ambiguous | Throttled):
                self._bucket.give_back(step.writes)
            self._steps[name] = self._after(step, result)

    def _after(self, step: Step, result: object) -> Step:
        """The step after one call's end."""
        match result:
            case Look():
                return self._after_look(step, result)
            case Sent():
                self._loose.add(step.name)
                self._look_in(step, 0.9 * self._kinds[step.kind].expected_seconds)
                return replace(step, operation=result.operation, attempts=step.attempts + 1)
            case Ambiguous():
                self._loose.add(step.name)
                self._look_in(step, LOOK_AGAIN_SECONDS)
                return replace(step, attempts=step.attempts + 1, note=str(result))
            case Throttled():
                wait = result.retry_after.total_seconds()
                self._bucket.refused(wait, self._clock.monotonic())
                self._look_in(step, wait)
                return self._unless_overdue(replace(step, note=str(result)))
            case Withheld() | Moved() | Unavailable():
                self._look_in(step, LOOK_AGAIN_SECONDS)
                return self._unless_overdue(replace(step, note=str(result)))
            case Rejected():
                return self._ended(step, StepStatus.FAILED, str(result))
            case BaseException():
                raise result
        raise TypeError(f"a call answered {result!r}")

    def _after_look(self, step: Step, look: Look) -> Step:
        if look.verdict is Verdict.AT_GOAL:
            note = look.note or ("" if step.attempts else "found at its goal")
            return self._ended(step, StepStatus.DONE, note)
        if self._may_still_land(step):
            self._look_in(step, LOOK_AGAIN_SECONDS)
            return step
        match look.verdict:
            case Verdict.ELSEWHERE:
                return self._ended(step, StepStatus.STOPPED, look.note)
            case Verdict.IMPOSSIBLE:
                return self._ended(step, StepStatus.FAILED, look.note)
            case Verdict.UNDER_WAY:
                self._look_in(step, max(LOOK_AGAIN_SECONDS, 0.05 * self._age(step)))
                sent = step.attempts or (1 if step.writes else 0)  # by us, or by a dead worker
                return self._unless_overdue(replace(step, attempts=sent, note=look.note))
            case Verdict.AT_ORIGIN:
                return self._at_origin(step, look)

    def _at_origin(self, step: Step, look: Look) -> Step:
        """Nothing of it is on its way (any more): the effect may be sent, again."""
        self._loose.discard(step.name)
        if step.attempts >= self._execution.step_attempts:
            note = f"given up after {step.attempts} attempts: {look.note or step.note}"
            return self._ended(step, StepStatus.FAILED, note)
        self._look_in(step, 0.0)
        began = step.begun_at if step.attempts else self._tenure.now()
        again = replace(step, seen=look.token, begun_at=began, operation="", note=look.note)
        return self._unless_overdue(self._with_deadline(again))

    def _may_still_land(self, step: Step) -> bool:
        """Whether an effect without a precondition may be on its way: no look tells of it."""
        if step.deadline is None or step.name not in self._loose:
            return False
        return not self._tenure.is_past(step.deadline)

    def _with_deadline(self, step: Step) -> Step:
        """An intent says until when its effect may land, where nothing but time stops that."""
        takes = self._kinds[step.kind].unconditional_timeout_seconds
        if takes is None or not self._is_late(step):
            return step
        within = timedelta(seconds=takes + SENT_WITHIN_SECONDS)
        return replace(step, deadline=self._tenure.now() + within)

    def _is_late(self, step: Step) -> bool:
        return lands_late(step, self._kinds[step.kind], self._tenure.now())

    def _taken_over(self, step: Step) -> Step:
        """A judgement has all of its time again: who began it before us may have died."""
        if step.status is StepStatus.BEGUN and not step.writes:
            return replace(step, begun_at=self._tenure.now())
        return step

    def _ended(self, step: Step, status: StepStatus, note: str) -> Step:
        self._loose.discard(step.name)
        return replace(step, status=status, note=note, ended_at=self._tenure.now())

    def _unless_overdue(self, step: Step) -> Step:
        if self._age(step) <= step.within_seconds:
            return step
        return self._ended(step, StepStatus.FAILED, f"not there in time: {step.note}")

    def _age(self, step: Step) -> float:
        return (self._tenure.now() - (step.begun_at or self._tenure.now())).total_seconds()

    def _look_in(self, step: Step, seconds: float) -> None:
        self._next_look[step.name] = self._clock.monotonic() + seconds

    # What may begin

    def begin(self) -> None:
        """Write intents, in memory, for what the plan, the quota and the limits admit."""
        if any(step.halts and step.status is StepStatus.FAILED for step in self._steps.values()):
            self.put_back()
            pending = [step for step in self._steps.values() if step.status is StepStatus.PENDING]
            self._skip(pending, "the plan was halted")
        self._skip(plans.blocked(self._steps), "a step before it did not succeed")
        for step in plans.ready(self._steps)[: self._admitted()]:
            begun = replace(step, status=StepStatus.BEGUN, begun_at=self._tenure.now())
            self._steps[step.name] = self._with_deadline(begun)

    def put_back(self) -> None:
        """Take back the intents of which nothing is on its way: they are pending again."""
        for name, step in self._steps.items():
            begun = step.status is StepStatus.BEGUN
            if begun and name not in self._loose and name not in self._calls:
                self._steps[name] = replace(step, status=StepStatus.PENDING, begun_at=None)

    def _skip(self, steps: Iterable[Step], note: str) -> None:
        for step in steps:
            self._steps[step.name] = self._ended(step, StepStatus.SKIPPED, note)

    def _admitted(self) -> int:
        """How many more steps may be begun now."""
        begun = [step for step in self._steps.values() if step.status is StepStatus.BEGUN]
        if self._batch_size is not None:
            return self._rest_of_batch(len(begun))
        ahead = INTENTS_AHEAD_SECONDS * self._execution.write_quota.per_second
        unsent = sum(step.writes for step in begun if not step.attempts)
        return max(0, int(self._bucket.level(self._clock.monotonic()) + ahead - unsent))

    def _rest_of_batch(self, begun: int) -> int:
        """A whole batch, once the one before is over and its pause has passed."""
        now = self._clock.monotonic()
        if begun:
            self._batch_over_at = now
            return 0
        waited = now - self._batch_over_at >= self._delay
        return self._batch_size or 0 if waited else 0

    # Commits

    def commit_what_is_due(self, *, leaving: bool) -> None:
        """Commit results and intents after a second, the lease's renewal after ten.

        Raises: as Tenure.commit.
        """
        since = self._tenure.seconds_since_commit
        at_once = leaving or not self._tenure.commits
        if (self._unsaved() and (at_once or since >= COMMIT_GAP_SECONDS)) or (
            since >= RENEW_AFTER_SECONDS
        ):
            self._tenure.commit(self._draft)
            self._saved = dict(self._steps)

    def _unsaved(self) -> bool:
        """Whether a result or an intent is worth a commit; an operation's name can wait."""
        return any(_worth_a_commit(self._saved[name], step) for name, step in self._steps.items())

    def _draft(self, rollback: Rollback) -> Draft:
        """Everything known and not yet committed; no intents when the rollback is to stop."""
        if rollback.cancel_requested:
            self._withdraw_intents()
        now = self._tenure.now()
        changed = [step for name, step in self._steps.items() if step != self._saved[name]]
        in_flight = sum(
            step.status is StepStatus.BEGUN and step.writes > 0 for step in self._steps.values()
        )
        changes: dict[str, object] = {"due_at": now + 2 * LEASE, "in_flight": in_flight}
        if any(step.status is not self._saved[step.name].status for step in changed):
            changes["held_since"] = None
        if rollback.started_at is None and any(step.begun_at for step in changed):
            changes["started_at"] = now
        return Draft(
            events=tuple(self._events(changed, now)) or (event("lease.renewed", now, "worker"),),
            changes=changes,
            writes=(
                *(Update(plans.path(rollback.id, step.name), encode(step)) for step in changed),
                self._pace_left(rollback, now),
            ),
        )

    def _pace_left(self, rollback: Rollback, now: datetime) -> Put:
        """How fast the next worker may go on; it rides along with every commit."""
        monotonic = self._clock.monotonic()
        since_batch = monotonic - self._batch_over_at
        left = PaceLeft(
            level=self._bucket.level(monotonic),
            at=now,
            batch_over_at=None if isinf(since_batch) else now - timedelta(seconds=since_batch),
        )
        return Put(quota_path(rollback.system), encode(left))

    def _withdraw_intents(self) -> None:
        """Take back intents that never landed: a person's word came first."""
        for name, saved in self._saved.items():
            if saved.status is StepStatus.PENDING:
                self._steps[name] = saved

    def _events(self, changed: Iterable[Step], now: datetime) -> Iterator[Event]:
        for step in changed:
            before = self._saved[step.name]
            if _worth_a_commit(before, step):
                yield event(
                    f"step.{step.status.value.lower()}",
                    now,
                    "worker",
                    step=step.name,
                    before=before.status,
                    seen=step.seen,
                    attempts=step.attempts,
                    operation=step.operation,
                    note=step.note,
                )

    # Calls

    def take_due(self, *, settling: bool) -> list[tuple[Step, bool]]:
        """The steps to ask about now, and whether the call may send the effect.

        A token of the write quota is taken for each call that may send. Settling: only what may
        be on its way is looked at, and nothing is sent.
        """
        now = self._clock.monotonic()
        chosen = []
        for step in self._askable(settling=settling):
            if self._next_look.get(step.name, now) > now:
                continue
            may_set = self._may_set(step) and not settling
            if may_set and not self._bucket.take(step.writes, now):
                continue
            self._calls[step.name] = may_set
            chosen.append((step, may_set))
        return chosen

    def patience(self, *, settling: bool) -> float:
        """Seconds until something is due."""
        now = self._clock.monotonic()
        waits = [LOOK_AGAIN_SECONDS]
        if self._unsaved():
            waits.append(COMMIT_GAP_SECONDS - self._tenure.seconds_since_commit)
        for step in self._askable(settling=settling):
            wait = self._next_look.get(step.name, now) - now
            if self._may_set(step) and not settling:
                wait = max(wait, self._bucket.seconds_until(step.writes, now))
            waits.append(wait)
        return max(0.0, min(waits))

    def _askable(self, *, settling: bool) -> Iterator[Step]:
        """The begun steps whose intent, as it stands, has landed, and that no call asks about."""
        for name, step in self._steps.items():
            landed = step.status is StepStatus.BEGUN and not _worth_a_commit(
                self._saved[name], step
            )
            if landed and name not in self._calls and (name in self._loose or not settling):
                yield step

    def _may_set(self, step: Step) -> bool:
        return step.name not in self._loose and not self._is_late(step)

    def settled(self) -> bool:
        """Whether no effect can be on its way."""
        return not self._loose and not self._unsaved()

    def finished(self) -> bool:
        """Whether every step has ended, and that is committed."""
        return all(step.status in ENDED for step in self._saved.values())


def lands_late(step: Step, kind: Kind, now: datetime) -> bool:
    """Whether its unconditional effect, sent now, might land after its deadline."""
    takes = kind.unconditional_timeout_seconds
    if takes is None:
        return False
    return step.deadline is None or now + timedelta(seconds=takes) > step.deadline


def _worth_a_commit(saved: Step, step: Step) -> bool:
    return (step.status, step.seen, step.deadline) != (saved.status, saved.seen, saved.deadline)
