"""Steps that are sent, looked at or judged with less care."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from shared.core.codec import decode
from shared.domain.rollback import plan as plans
from shared.domain.rollback.plan import Step, StepStatus
from shared.engine import engine, step_scheduler
from shared.engine.lease import LeasedRollback
from shared.engine.step_scheduler import EffectSent, StepScheduler
from shared.engine.steps.base import StepKind, StepObservation, StepVerdict
from shared.engine.steps.functions import redeploy
from shared.engine.steps.functions.judge_canary import JudgeCanaryStep
from shared.engine.steps.functions.redeploy import RedeployStep
from shared.engine.steps.functions.serve_revision import ServeRevisionStep
from shared.engine.steps.functions.shift_traffic import ShiftTrafficStep, TrafficGoal
from shared.engine.steps.resources.publish_remote_config import PublishRemoteConfigStep
from shared.engine.steps.resources.release_hosting import HostingOrigin, ReleaseHostingStep


def no_precondition_on_the_effect() -> AbstractContextManager[Any]:
    """A shift takes whatever etag the service has now."""

    def set_anyway(self: ShiftTrafficStep, step: Step) -> str:
        goal = decode(TrafficGoal, step.goal)
        etag = self._platform.service(goal.service).etag
        return self._platform.shift(goal.service, goal.traffic, etag)

    return patch.object(ShiftTrafficStep, "set", set_anyway)


def persons_change_overwritten() -> AbstractContextManager[Any]:
    """Whatever is found is taken for the origin."""
    honest = ShiftTrafficStep.look

    def greedy(self: ShiftTrafficStep, step: Step) -> StepObservation:
        look = honest(self, step)
        if look.verdict is not StepVerdict.ELSEWHERE:
            return look
        return StepObservation(StepVerdict.AT_ORIGIN, self._platform.service(step.goal["service"]).etag)

    return patch.object(ShiftTrafficStep, "look", greedy)


def persons_release_overwritten() -> AbstractContextManager[Any]:
    """Whatever version is found is taken for the origin."""
    honest = ReleaseHostingStep.look

    def greedy(self: ReleaseHostingStep, step: Step) -> StepObservation:
        look = honest(self, step)
        if look.verdict is not StepVerdict.ELSEWHERE:
            return look
        return StepObservation(StepVerdict.AT_ORIGIN, decode(HostingOrigin, step.origin).version)

    return patch.object(ReleaseHostingStep, "look", greedy)


def persons_deployment_built_over() -> AbstractContextManager[Any]:
    """Whatever deployment is found is taken for the one that the plan has found."""
    honest = RedeployStep.look

    def greedy(self: RedeployStep, step: Step) -> StepObservation:
        look = honest(self, step)
        if look.verdict is not StepVerdict.ELSEWHERE:
            return look
        return StepObservation(StepVerdict.AT_ORIGIN, step.seen)

    return patch.object(RedeployStep, "look", greedy)


def persons_template_overwritten() -> AbstractContextManager[Any]:
    """Whatever template is found is taken for the origin."""
    honest = PublishRemoteConfigStep.look

    def greedy(self: PublishRemoteConfigStep, step: Step) -> StepObservation:
        look = honest(self, step)
        if look.verdict is not StepVerdict.ELSEWHERE:
            return look
        return StepObservation(StepVerdict.AT_ORIGIN, self._estate.remote_config.template().etag)

    return patch.object(PublishRemoteConfigStep, "look", greedy)


def template_published_over_the_newest() -> AbstractContextManager[Any]:
    """The etag is read again when it is needed, not taken from the intent."""
    honest = PublishRemoteConfigStep._publish

    def fresh(self: PublishRemoteConfigStep, step: Step, *, dry_run: bool) -> None:
        newest = self._estate.remote_config.template().etag
        honest(self, replace(step, seen=newest), dry_run=dry_run)

    return patch.object(PublishRemoteConfigStep, "_publish", fresh)


def done_without_a_look() -> AbstractContextManager[Any]:
    """What was sent counts as done."""
    honest = StepScheduler._apply_result

    def trusting(self: StepScheduler, step: Step, result: object) -> Step:
        after = honest(self, step, result)
        return self._end_step(after, StepStatus.DONE, "") if isinstance(result, EffectSent) else after

    return patch.object(StepScheduler, "_apply_result", trusting)


def sent_before_the_intent_landed() -> AbstractContextManager[Any]:
    """Effects go out with their intents, not after them."""

    def askable(self: StepScheduler, *, settling: bool) -> Iterator[Step]:
        for name, step in self._steps.items():
            if step.status is StepStatus.BEGUN and name not in self._calls:
                yield step

    return patch.object(StepScheduler, "_pollable_steps", askable)


def unconditional_effect_repeated() -> AbstractContextManager[Any]:
    """An unconditional effect without an answer is sent again at once."""
    return patch.object(StepScheduler, "_may_still_land", lambda self, step: False)


def unconditional_effect_sent_late() -> AbstractContextManager[Any]:
    """An unconditional effect is sent however little of its time is left."""

    def without_deadline(step: Step, kind: StepKind, now: datetime) -> bool:
        return kind.unconditional_timeout_seconds is not None and step.deadline is None

    @contextmanager
    def late() -> Iterator[None]:
        with (
            patch.object(engine, "may_land_late", lambda *facts: False),
            patch.object(step_scheduler, "may_land_late", without_deadline),
            patch.object(
                LeasedRollback, "is_leased_for", lambda self, seconds: self.seconds_since_commit <= 30.0
            ),
        ):
            yield

    return late()


def rebuild_sent_again_at_once() -> AbstractContextManager[Any]:
    """A rebuild without an answer is looked at, and sent again, before its deadline."""

    def may_still_land(self: StepScheduler, step: Step) -> bool:
        return step.kind != redeploy.KIND and honest(self, step)

    honest = StepScheduler._may_still_land
    return patch.object(StepScheduler, "_may_still_land", may_still_land)


def rebuilt_and_not_served() -> AbstractContextManager[Any]:
    """Whoever has built a function again forgets that its traffic is pinned elsewhere."""
    forgotten = StepObservation(StepVerdict.AT_GOAL, note="it was built")
    return patch.object(ServeRevisionStep, "look", lambda self, step: forgotten)


def stand_in_not_begun() -> AbstractContextManager[Any]:
    """A shift that failed stays failed, whatever stands in for it."""
    honest = plans.ready_steps

    def ready(steps: Any) -> list[Step]:
        return [step for step in honest(steps) if not step.instead_of]

    return patch.object(plans, "ready_steps", ready)


def canary_not_judged() -> AbstractContextManager[Any]:
    """A canary is well because it is there."""
    return patch.object(
        JudgeCanaryStep, "_run_probes", lambda self, goal: StepObservation(StepVerdict.AT_GOAL)
    )


def others_do_not_wait_for_the_canary() -> AbstractContextManager[Any]:
    """Everything is begun at once."""

    def ready(steps: Any) -> list[Step]:
        return [step for step in steps.values() if step.status is StepStatus.PENDING]

    return patch.object(plans, "ready_steps", ready)


MUTANTS = (
    no_precondition_on_the_effect,
    persons_change_overwritten,
    persons_release_overwritten,
    persons_deployment_built_over,
    persons_template_overwritten,
    template_published_over_the_newest,
    done_without_a_look,
    sent_before_the_intent_landed,
    unconditional_effect_repeated,
    unconditional_effect_sent_late,
    rebuild_sent_again_at_once,
    rebuilt_and_not_served,
    stand_in_not_begun,
    canary_not_judged,
    others_do_not_wait_for_the_canary,
)
