"""Carrying a plan out: intent, look, set, look, record, for many steps beside each other.

One thread decides and commits; a pool of calls looks and sets. Each turn of the loop folds what
the calls found, begins what may begin, commits intents and results together (at most once a
second), and sends the effects whose intents have landed. A worker may die between any two lines:
the next one finds the intents and asks the world, not its memory, what became of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from shared.core.errors import Throttled
from shared.core.runtime import Clock, Pool
from shared.core.store import Store
from shared.domain.policy.execution_limits import Execution
from shared.domain.rollback.plan import Step
from shared.domain.rollback.write_quota import resume_pace
from shared.engine.checkpoints import WriteBuilder
from shared.engine.lease import LeasedRollback
from shared.engine.step_scheduler import (
    POLL_INTERVAL_SECONDS,
    AttemptResult,
    EffectOverQuota,
    EffectSent,
    EffectWithheld,
    StepScheduler,
    may_land_late,
)
from shared.engine.steps.base import StepKind, StepVerdict
from shared.engine.stop_conditions import StopConditions
from shared.state.reader import StateReader

WATCH_INTERVAL_SECONDS = 20.0


class StopReason(StrEnum):
    """Why a worker stopped carrying."""

    ENDED = "every step has ended"
    STOPPED = "a stop condition holds"
    HANDED_OVER = "its time limit has passed"


@dataclass
class Engine:
    """Carries one rollback's plan forward, as far as it gets."""

    _store: Store
    _clock: Clock
    _pool: Pool
    _kinds: Mapping[str, StepKind]
    _switches: StopConditions
    _execution: Execution
    _watch: Callable[[], object]
    """Called every few seconds between commits, by the thread that commits."""
    _build_first_writes: WriteBuilder
    """Builds further writes for the commit of the first intent."""

    def execute_plan(self, tenure: LeasedRollback, until: float) -> StopReason:
        """Work until every step has ended, something forbids to go on, or the time is over.

        `until` is a moment of the monotonic clock.

        What forbids lets effects in flight settle; no call is left running on return.
        Raises: LostRollback; Unavailable, when the store or a commit gives no answer.
        """
        steps = load_steps(self._store, tenure.rollback.id)
        left = StateReader(self._store).pace(tenure.rollback.system)  # no quota is spent twice
        quota = self._execution.write_quota.system_share
        pace = resume_pace(left, quota, tenure.now(), self._clock.monotonic())
        carrying = StepScheduler(
            self._clock, self._kinds, self._execution, tenure, steps, pace, self._build_first_writes
        )
        watched_at = self._clock.monotonic()
        while True:
            if self._clock.monotonic() - watched_at >= WATCH_INTERVAL_SECONDS:
                self._watch()
                watched_at = self._clock.monotonic()
            time_is_over = self._clock.monotonic() >= until
            forbidden = bool(tenure.rollback.cancel_requested)
            if not carrying.is_only_waiting():  # else there is nothing that the switches could stop
                forbidden = forbidden or bool(self._switches.find_stop_reason())
            calls_run = bool(len(self._pool))
            if not (forbidden or time_is_over):
                carrying.begin()
            elif forbidden:
                carrying.withdraw_intents()
            carrying.commits.commit_if_due(leaving=(forbidden or time_is_over) and not calls_run)
            if carrying.commits.is_finished():
                return StopReason.ENDED
            if not calls_run and time_is_over:
                return StopReason.HANDED_OVER
            if not calls_run and forbidden and carrying.is_settled():
                return StopReason.STOPPED
            if not time_is_over:
                self._submit_calls(carrying, tenure, settling=forbidden)
            patience = (
                POLL_INTERVAL_SECONDS if time_is_over else carrying.seconds_until_due(settling=forbidden)
            )
            carrying.record_results(self._await_results(patience))

    def _await_results(self, patience: float) -> list[tuple[str, object]]:
        if len(self._pool):
            return self._pool.wait(patience)
        self._clock.sleep(patience)
        return []

    def _submit_calls(self, carrying: StepScheduler, tenure: LeasedRollback, *, settling: bool) -> None:
        for step, may_set in carrying.take_due_steps(settling=settling):
            self._pool.submit(step.name, partial(self._attempt, tenure, step, may_set))

    def _attempt(self, tenure: LeasedRollback, step: Step, may_set: bool) -> AttemptResult:
        """Look, and set if the world is as the intent found it. Raises: LostRollback."""
        kind = self._kinds[step.kind]
        look = kind.look(step)
        if not (may_set and look.verdict is StepVerdict.AT_ORIGIN and look.token == step.seen):
            return look
        try:
            return self._send_effect(tenure, step, kind)
        except Throttled as refused:
            return EffectOverQuota(str(refused), refused.retry_after.total_seconds())

    def _send_effect(self, tenure: LeasedRollback, step: Step, kind: StepKind) -> EffectSent | EffectWithheld:
        kind.rehearse(step)
        reason = self._switches.find_stop_reason()
        if reason:
            return EffectWithheld(reason)
        tenure.require_lease()
        if may_land_late(step, kind, tenure.now()) or not tenure.is_leased_for(
            kind.unconditional_timeout_seconds or 0.0
        ):
            return EffectWithheld("its time limit to be sent has passed")
        return EffectSent(kind.set(step))


def load_steps(store: Store, rollback: str) -> dict[str, Step]:
    """The steps of a rollback by name, in the plan's order."""
    return {step.name: step for step in StateReader(store).steps(rollback)}
