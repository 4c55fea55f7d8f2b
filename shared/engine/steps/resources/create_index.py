"""A composite index that was dropped, made again."""

from shared.core.codec import decode
from shared.domain.deployments.inventory.inventory_parts import Index, WholeInventory
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import ResourceStep, StepObservation, StepVerdict

KIND = "create_index"
ABSENT_INDEX = "absent"
"""The state in which it may be made."""

_VERDICTS = {"READY": StepVerdict.AT_GOAL, "CREATING": StepVerdict.UNDER_WAY}


class CreateIndexStep(ResourceStep):
    """An index of the same definition cannot be made twice: nothing else need protect it."""

    part = InventoryPart.INDEXES
    expected_seconds = 60.0

    def look(self, step: Step) -> StepObservation:
        """At the goal once queries can use it; there is nothing of a person's to overwrite."""
        goal = decode(Index, step.goal)
        found = self._estate.indexes.of(goal.database).get(goal.definition)
        if found is None:
            return StepObservation(StepVerdict.AT_ORIGIN, ABSENT_INDEX)
        verdict = _VERDICTS.get(found.state, StepVerdict.IMPOSSIBLE)
        note = "" if verdict is StepVerdict.AT_GOAL else f"the index is {found.state}"
        return StepObservation(verdict, note=note)

    def set(self, step: Step) -> str:
        """Begin to make it; the operation's name."""
        return self._estate.indexes.create(decode(Index, step.goal))

    @classmethod
    def touches(cls, step: Step, name: str) -> bool:
        """Compare the definition: the step's target is the database."""
        return decode(Index, step.goal).definition == name

    @classmethod
    def is_at_goal(cls, step: Step, name: str, live: WholeInventory) -> bool:
        """Return whether an index of this definition is there."""
        return name in (live.indexes or {})
