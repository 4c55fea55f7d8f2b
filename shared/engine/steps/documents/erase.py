"""What a repair has written of people who were erased since is taken out again, and counted."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from shared.domain.data.repair.plan import DocumentFate, Position, as_text, from_text, worded
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepContext, StepKind, StepLook
from shared.engine.steps.documents.batched import look_at

KIND = "take_out"

Portion = Callable[[Position], Position]
"""Goes a portion further through what was written. Raises: Unavailable, Rejected."""


class TakeOut(StepKind):
    """It ends behind the last batch of the journal."""

    expected_seconds = 0.0

    def __init__(self, context: StepContext) -> None:
        self._portion: Portion = context.portions[KIND]

    def look(self, step: Step) -> StepLook:
        """At the goal behind the last batch; the note proves it, and names nobody."""
        return replace(look_at(step), note=erased_counts(from_text(step.operation or step.seen)))

    def set(self, step: Step) -> str:
        """One portion behind the position that was saved with the intent; where that leads."""
        return as_text(self._portion(from_text(step.seen)))


def erased_counts(position: Position) -> str:
    """What was gone through and taken out until there, counted."""
    counted = {
        one: position.fates.get(one, 0) for one in (DocumentFate.TAKEN_OUT, DocumentFate.FORGOTTEN)
    }
    return f"{position.seen} documents gone through again: {worded(counted)}"
