"""The steps in one worker's hands: what calls find of them, what may begin, what is asked next."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.core.errors import Ambiguous, Moved, Rejected, Throttled, Unavailable
from shared.core.runtime import Clock
from shared.domain.policy.execution_limits import Execution
from shared.domain.rollback import plan as plans
from shared.domain.rollback.plan import Step, StepStatus
from shared.domain.rollback.write_quota import Pace, SavedPace
from shared.engine.checkpoints import Checkpointer, StepTable, WriteBuilder
from shared.engine.lease import LeasedRollback
from shared.engine.pacing import Pacing
from shared.engine.steps.base import StepKind, StepObservation, StepVerdict

POLL_INTERVAL_SECONDS = 1.0
MAX_LOSS_DETECTION_SECONDS = 3.0
"""How long whoever has lost a rollback may go on sending what it had begun: its look at the
switches, which tells of that, may be 2 s old."""
MAX_SEND_DELAY_SECONDS = 8.0
"""How long after its intent an unconditional effect may be sent, without another intent."""


class EffectSent(FrozenStruct):
    """The effect was sent; the platform works on it under this name."""

    operation: str


class EffectOverQuota(FrozenStruct):
    """The effect was sent, and refused for its number."""

    reason: str
    retry_after_seconds: float


class EffectWithheld(FrozenStruct):
    """The effect was due, and something forbids it."""

    reason: str


AttemptResult = StepObservation | EffectSent | EffectWithheld | EffectOverQuota

WRITE_RESULTS = (EffectSent, EffectOverQuota, Ambiguous, Moved, Rejected)
"""Ends of a call that has written, or tried to: it counts against the quota. No look ends so."""


class StepScheduler:
    """What is known of each step, what may begin, what is to be asked."""

    def __init__(
        self,
        clock: Clock,
        kinds: Mapping[str, StepKind],
        execution: Execution,
        tenure: LeasedRollback,
        steps: Mapping[str, Step],
        pace: Pace,
        build_first_writes: WriteBuilder,
    ) -> None:
        self._clock = clock
        self._kinds = kinds
        self._execution = execution
        self._tenure = tenure
        self._steps = StepTable(steps)
        for name, step in steps.items():
            if step.status is StepStatus.BEGUN and not step.writes and not step.seen:
                # A judgement has all of its time again: who began it before us may have died.
                self._steps[name] = replace(step, begun_at=tenure.now())
        self._calls: dict[str, bool] = {}
        """Calls that run, and whether a token was taken for each."""
        self._loose = {name for name, step in steps.items() if step.may_be_in_flight}
        """Steps whose effect may be on its way: a dead worker's, until they are looked at; ours,
        from sending on."""
        self._in_doubt = frozenset(self._loose)
        """What the worker before us may have sent, and while it lives may send yet."""
        self._is_alone_at = clock.monotonic() + MAX_LOSS_DETECTION_SECONDS
        self._is_settling = False
        """Whether nothing may be begun or sent any more."""
        died = tenure.rollback.takeovers > 0
        self._inherited = {name for name in steps if died and steps[name].status is StepStatus.BEGUN}
        """What a worker that has died had begun, and nobody has looked at since: it has all of its
        time again."""
        self._has_ended = True
        """Whether a step has ended since it was asked what that means for the others."""
        self._is_halted = False
        """Whether a step has failed after which nothing may begin."""
        self._next_look: dict[str, float] = {}
        in_doubt = [steps[name] for name in self._loose if not steps[name].attempts]
        self._pacing = Pacing(pace, execution, tenure.rollback.order, in_doubt)
        self._bucket = pace.bucket
        self.commits = Checkpointer(tenure, steps, self._steps, self._snapshot_pace, build_first_writes)

    def record_results(self, results: Iterable[tuple[str, object]]) -> None:
        """Take in the ends of calls. Raises: what a call raised that is no RollbackError."""
        for name, result in results:
            step = self._steps[name]
            if self._calls.pop(name) and not isinstance(result, WRITE_RESULTS):
                self._bucket.give_back(step.writes)
            self._steps[name] = self._apply_result(step, result)

    def _apply_result(self, step: Step, result: object) -> Step:
        match result:
            case StepObservation():
                return self._apply_observation(step, result)
            case EffectSent():
                self._loose.add(step.name)
                self._bucket.record_success(step.writes)
                self._schedule_look(step, 0.9 * self._kinds[step.kind].expected_seconds)
                return replace(step, operation=result.operation, attempts=step.attempts + 1)
            case Ambiguous():
                self._loose.add(step.name)
                self._schedule_look(step, POLL_INTERVAL_SECONDS)
                return replace(step, attempts=step.attempts + 1, note=str(result))
            case EffectOverQuota():
                wait = result.retry_after_seconds
                self._bucket.record_refusal(wait, self._clock.monotonic())
                self._schedule_look(step, wait)
                return self._fail_if_overdue(replace(step, note=result.reason))
            case Throttled():  # a look, which costs nothing of the write quota
                self._schedule_look(step, result.retry_after.total_seconds())
                return self._fail_if_overdue(replace(step, note=str(result)))
            case EffectWithheld() if not step.writes:  # a portion whose turn it was not: others had it
                self._schedule_look(step, POLL_INTERVAL_SECONDS)
                return replace(step, begun_at=self._tenure.now(), note=result.reason)
            case EffectWithheld() | Moved() | Unavailable():
                self._schedule_look(step, POLL_INTERVAL_SECONDS)
                note = result.reason if isinstance(result, EffectWithheld) else str(result)
                return self._fail_if_overdue(replace(step, note=note))
            case Rejected():
                return self._end_step(step, StepStatus.FAILED, str(result))
            case BaseException():
                raise result
        raise TypeError(f"a call answered {result!r}")

    def _apply_observation(self, step: Step, look: StepObservation) -> Step:
        if self._pacing.is_reserved(step):
            self._pacing.account_for(step, landed=look.verdict is not StepVerdict.AT_ORIGIN)
        if look.verdict is StepVerdict.AT_GOAL:
            note = look.note or ("" if step.attempts else "already in its target state")
            return self._end_step(step, StepStatus.DONE, note)
        if self._may_still_land(step) and not look.is_further:
            self._schedule_look(step, POLL_INTERVAL_SECONDS)
            return step
        match look.verdict:
            case StepVerdict.ELSEWHERE:
                return self._end_step(step, StepStatus.STOPPED, look.note)
            case StepVerdict.IMPOSSIBLE:
                return self._end_step(step, StepStatus.FAILED, look.note)
            case StepVerdict.UNDER_WAY:
                self._schedule_look(step, max(POLL_INTERVAL_SECONDS, 0.05 * self._age(step)))
                sent = step.attempts or (1 if step.writes else 0)  # by us, or by a dead worker
                return self._fail_if_overdue(replace(step, attempts=sent, note=look.note))
            case StepVerdict.AT_ORIGIN:
                return self._prepare_attempt(step, look)

    def _prepare_attempt(self, step: Step, look: StepObservation) -> Step:
        """Nothing of it is on its way (any more): the effect may be sent, again."""
        if self._is_settling and self._may_be_sent_by_another(step):
            self._schedule_look(step, POLL_INTERVAL_SECONDS)
            return step
        self._loose.discard(step.name)
        if look.is_further:
            step = replace(step, attempts=0)
        if step.attempts >= self._execution.step_attempts:
            note = f"given up after {step.attempts} attempts: {look.note or step.note}"
            return self._end_step(step, StepStatus.FAILED, note)
        self._schedule_look(step, 0.0)
        stands_still = look.token == step.seen and step.name not in self._inherited
        self._inherited.discard(step.name)
        began = step.begun_at if step.attempts or stands_still else self._tenure.now()
        note = look.note or (step.note if stands_still and not step.writes else "")
        again = replace(step, seen=look.token, begun_at=began, operation="", note=note)
        return self._fail_if_overdue(self._set_deadline(again), step.note)

    def _may_still_land(self, step: Step) -> bool:
        """Whether an effect without a precondition may be on its way: no look tells of it."""
        if step.deadline is None or step.name not in self._loose:
            return False
        return not self._tenure.is_past(step.deadline)

    def _may_be_sent_by_another(self, step: Step) -> bool:
        """Whether the worker before us, alive after all, may send it before it sees its loss."""
        return step.name in self._in_doubt and self._clock.monotonic() < self._is_alone_at

    def _set_deadline(self, step: Step) -> Step:
        """An intent says until when its effect may land, where nothing but time stops that."""
        takes = self._kinds[step.kind].unconditional_timeout_seconds
        if takes is None or not self._is_late(step):
            return step
        return replace(step, deadline=self._tenure.now() + timedelta(seconds=takes + MAX_SEND_DELAY_SECONDS))

    def _is_late(self, step: Step) -> bool:
        return may_land_late(step, self._kinds[step.kind], self._tenure.now())

    def _end_step(self, step: Step, status: StepStatus, note: str) -> Step:
        self._loose.discard(step.name)
        self._has_ended = True
        return replace(step, status=status, note=note, ended_at=self._tenure.now())

    def _fail_if_overdue(self, step: Step, reason: str = "") -> Step:
        if self._age(step) <= step.within_seconds:
            return step
        return self._end_step(step, StepStatus.FAILED, f"no result in time: {step.note or reason}")

    def _age(self, step: Step) -> float:
        return (self._tenure.now() - (step.begun_at or self._tenure.now())).total_seconds()

    def _schedule_look(self, step: Step, seconds: float) -> None:
        self._next_look[step.name] = self._clock.monotonic() + seconds

    def begin(self) -> None:
        """Write intents, in memory, for what the plan, the quota and the limits admit."""
        self._is_settling = False
        has_ended, self._has_ended = self._has_ended, False
        if has_ended:
            for step in plans.unneeded_steps(self._steps):
                self._steps[step.name] = self._end_step(step, StepStatus.UNNEEDED, "")
            steps = self._steps.values()
            self._is_halted = any(one.halts and one.status is StepStatus.FAILED for one in steps)
        if self._is_halted:
            self.withdraw_intents()
            pending = [step for step in self._steps.values() if step.status is StepStatus.PENDING]
            self._skip(pending, "the plan was halted")
        if has_ended:
            self._skip(plans.blocked_steps(self._steps), "a step before it did not succeed")
        begun = len(self._steps.begun_steps())
        admitted = self._pacing.count_admissible(begun, self._count_unsent(), self._clock.monotonic())
        if not admitted:
            return
        longest_first = sorted(plans.ready_steps(self._steps), key=self._expected_seconds, reverse=True)
        for step in longest_first[:admitted]:
            intent = replace(step, status=StepStatus.BEGUN, begun_at=self._tenure.now())
            self._steps[step.name] = self._set_deadline(intent)

    def withdraw_intents(self) -> None:
        """Take back the intents of which nothing is on its way: they are pending again."""
        self._is_settling = True
        for step in self._steps.begun_steps():
            if self._may_be_sent_by_another(step):
                self._loose.add(step.name)
            if step.name not in self._loose and step.name not in self._calls:
                self._steps[step.name] = replace(step, status=StepStatus.PENDING, begun_at=None)

    def _skip(self, steps: Iterable[Step], note: str) -> None:
        for step in steps:
            self._steps[step.name] = self._end_step(step, StepStatus.SKIPPED, note)

    def _count_unsent(self) -> int:
        """Writes that are intended, and for which no token was taken yet."""
        return sum(
            step.writes
            for step in self._steps.begun_steps()
            if not step.attempts and not self._pacing.is_reserved(step) and not self._calls.get(step.name)
        )

    def _snapshot_pace(self, at: datetime) -> SavedPace:
        return self._pacing.snapshot_pace(self._count_unsent(), at, self._clock.monotonic())

    def take_due_steps(self, *, settling: bool) -> list[tuple[Step, bool]]:
        """Return steps to poll, and whether each may send, for a token; settling, none sends."""
        now = self._clock.monotonic()
        chosen = []
        for step in sorted(self._pollable_steps(settling=settling), key=self._polling_order):
            if self._next_look.get(step.name, now) > now:
                continue
            may_set = self._may_set(step) and not settling
            if may_set and not self._bucket.take(step.writes, now):
                continue
            self._calls[step.name] = may_set
            chosen.append((step, may_set))
        return chosen

    def seconds_until_due(self, *, settling: bool) -> float:
        """Seconds until something is due."""
        now = self._clock.monotonic()
        waits = [POLL_INTERVAL_SECONDS]
        if self.commits.is_commit_needed():
            waits.append(self.commits.seconds_until_next())
        for step in self._pollable_steps(settling=settling):
            wait = self._next_look.get(step.name, now) - now
            if self._may_set(step) and not settling:
                wait = max(wait, self._bucket.seconds_until(step.writes, now))
            waits.append(wait)
        return max(0.0, min(waits))

    def _pollable_steps(self, *, settling: bool) -> Iterator[Step]:
        """The begun steps whose intent, as it stands, has landed, and that no call asks about."""
        for step in self._steps.begun_steps():
            asked_about = step.name in self._calls or (settling and step.name not in self._loose)
            if not asked_about and self.commits.is_committed(step):
                yield step

    def _polling_order(self, step: Step) -> tuple[bool, float]:
        """What was tried before comes first, then the longest."""
        return not (step.attempts or step.note), -self._expected_seconds(step)

    def _expected_seconds(self, step: Step) -> float:
        return self._kinds[step.kind].expected_seconds

    def _may_set(self, step: Step) -> bool:
        return step.name not in self._loose and not self._is_late(step)

    def is_only_waiting(self) -> bool:
        """Whether all that has begun is on its way, and nothing may begin before it ends."""
        begun = [step.name for step in self._steps.begun_steps()]
        return bool(begun) and self._loose.issuperset(begun) and not plans.ready_steps(self._steps)

    def is_settled(self) -> bool:
        """Whether no effect can be on its way."""
        return not self._loose and not self.commits.is_commit_needed()


def may_land_late(step: Step, kind: StepKind, now: datetime) -> bool:
    """Whether its unconditional effect, sent now, might land after its deadline."""
    takes = kind.unconditional_timeout_seconds
    if takes is None:
        return False
    return step.deadline is None or now + timedelta(seconds=takes) > step.deadline
