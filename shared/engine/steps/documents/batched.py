"""What is carried out in portions that each are an effect, however many it takes.

How far it has come is kept with the step: the precondition of the next portion is the position that
it begins at, and what a portion leads to comes back as the name of its operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, Generic, TypeVar

from shared.core.codec import decode
from shared.core.errors import Rejected, RollbackError
from shared.core.runtime import Clock
from shared.domain.data.document import REWRITE_SECONDS
from shared.domain.data.repair.plan import Position, as_text, from_text, worded
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepContext, StepKind, StepLook, StepVerdict

PORTION_SECONDS: Final = 8.0
"""So long one portion lasts: well within the lease."""
PORTION_LANDS_WITHIN: Final = PORTION_SECONDS + REWRITE_SECONDS

SUPPRESSED: Final = "people agreed to event suppression, which this version does not have"
"""Why nothing more is written of a plan of an earlier version."""

Goal = TypeVar("Goal")
T = TypeVar("T")
Portion = Callable[[Step, Goal, Position], Position]
"""Carries a step a portion further, and makes nothing again that could land after its deadline.

Raises: Unavailable, Rejected.
"""


class InPortions(StepKind, Generic[Goal]):
    """It ends where nothing is left: each portion has all of the step's time and attempts again."""

    expected_seconds = 0.0
    unconditional_timeout_seconds: float | None = PORTION_LANDS_WITHIN
    kind: ClassVar[str]
    goal: ClassVar[type[Any]]

    def __init__(self, context: StepContext) -> None:
        self._portion: Portion[Goal] = context.portions[self.kind]

    def look(self, step: Step) -> StepLook:
        """At the goal behind the last document; what became of them stands in the note."""
        return look_at(step)

    def set(self, step: Step) -> str:
        """One portion behind the position that was saved with the intent; where that leads."""
        if step.goal.get("silenced"):
            raise Rejected(SUPPRESSED)
        goal, position = decode(self.goal, step.goal), from_text(step.seen)
        return as_text(self._portion(step, goal, position))


def within(clock: Clock, until: float, before: T, further: Iterable[T]) -> T:
    """The last of these that came in time; what was done before a failure stays done.

    Raises: what `further` raises, where nothing has come yet.
    """
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


def look_at(step: Step) -> StepLook:
    """Where a step stands, by the position that it has come to."""
    position = from_text(step.operation or step.seen)
    note = f"{position.seen} documents: {worded(position.fates)}"
    if position.is_over:
        return StepLook(StepVerdict.AT_GOAL, note=note)
    token = as_text(position)
    further = bool(step.operation) and token != step.seen
    return StepLook(StepVerdict.AT_ORIGIN, token, note if position.seen else "", is_further=further)
