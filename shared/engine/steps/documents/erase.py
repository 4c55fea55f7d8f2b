"""What a repair has written of people who were erased since is taken out again, and counted."""

from collections.abc import Callable

from msgspec.structs import replace

from shared.core.text import count_noun
from shared.domain.data.repair.repair_plan import (
    DocumentOutcome,
    RepairPosition,
    decode_position,
    describe_outcomes,
    encode_position,
)
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepContext, StepKind, StepObservation
from shared.engine.steps.documents.batched import observe_progress

KIND = "take_out"

Portion = Callable[[RepairPosition], RepairPosition]
"""Goes a portion further through what was written. Raises: Unavailable, Rejected."""


class EraseStep(StepKind):
    """It ends behind the last batch of the journal."""

    expected_seconds = 0.0

    def __init__(self, context: StepContext) -> None:
        self._portion: Portion = context.portions[KIND]

    def look(self, step: Step) -> StepObservation:
        """At the goal behind the last batch; the note proves it, and names nobody."""
        return replace(
            observe_progress(step), note=describe_erased_counts(decode_position(step.operation or step.seen))
        )

    def set(self, step: Step) -> str:
        """One portion behind the position that was saved with the intent; where that leads."""
        return encode_position(self._portion(decode_position(step.seen)))


def describe_erased_counts(position: RepairPosition) -> str:
    """What was gone through and taken out until there, counted."""
    counted = {
        one: position.fates.get(one, 0) for one in (DocumentOutcome.TAKEN_OUT, DocumentOutcome.FORGOTTEN)
    }
    return f"{count_noun(position.seen, 'document')} checked again: {describe_outcomes(counted)}"
