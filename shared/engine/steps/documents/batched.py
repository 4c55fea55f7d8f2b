"""Steps in portions, each an effect: the stored position is the next portion's precondition."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

from shared.core.codec import decode
from shared.core.errors import RollbackError
from shared.core.runtime import Clock
from shared.core.text import count_noun
from shared.domain.data.document import REWRITE_TIMEOUT_SECONDS
from shared.domain.data.repair.repair_plan import (
    RepairPosition,
    decode_position,
    describe_outcomes,
    encode_position,
)
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepContext, StepKind, StepObservation, StepVerdict

MAX_PORTION_SECONDS = 8.0
"""So long one portion lasts: well within the lease."""
MAX_PORTION_LANDING_SECONDS = MAX_PORTION_SECONDS + REWRITE_TIMEOUT_SECONDS

Goal = TypeVar("Goal")
T = TypeVar("T")
Portion = Callable[[Step, Goal, RepairPosition], RepairPosition]
"""Carries a step a portion further, and makes nothing again that could land after its deadline.

Raises: Unavailable, Rejected.
"""


class BatchedStep(StepKind, Generic[Goal]):
    """It ends where nothing is left: each portion has all of the step's time and attempts again."""

    expected_seconds = 0.0
    unconditional_timeout_seconds: float | None = MAX_PORTION_LANDING_SECONDS
    kind: ClassVar[str]
    goal: ClassVar[type[Any]]

    def __init__(self, context: StepContext) -> None:
        self._portion: Portion[Goal] = context.portions[self.kind]

    def look(self, step: Step) -> StepObservation:
        """At the goal behind the last document; what became of them stands in the note."""
        return observe_progress(step)

    def set(self, step: Step) -> str:
        """One portion behind the position that was saved with the intent; where that leads."""
        goal, position = decode(self.goal, step.goal), decode_position(step.seen)
        return encode_position(self._portion(step, goal, position))


def consume_until(clock: Clock, until: float, before: T, further: Iterable[T]) -> T:
    """Return the last item before `until`; raise what `further` raises if there is none yet."""
    last = before
    try:
        for one in further:
            last = one
            if clock.monotonic() >= until:
                break
    except RollbackError:
        if last is before:
            raise
    return last


def observe_progress(step: Step) -> StepObservation:
    """Where a step stands, by the position that it has come to."""
    position = decode_position(step.operation or step.seen)
    note = f"{count_noun(position.seen, 'document')}: {describe_outcomes(position.fates)}"
    if position.is_over:
        return StepObservation(StepVerdict.AT_GOAL, note=note)
    token = encode_position(position)
    further = bool(step.operation) and token != step.seen
    return StepObservation(StepVerdict.AT_ORIGIN, token, note if position.seen else "", is_further=further)
