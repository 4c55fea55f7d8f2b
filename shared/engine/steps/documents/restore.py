"""What a repair has written put back as it was before, out of the journal and the quarantine."""

from shared.core.codec import FrozenStruct
from shared.engine.steps.documents.batched import BatchedStep

KIND = "put_back"


class RestoreGoal(FrozenStruct):
    """Every document that a rollback has written, and nobody since, as it was before."""

    rollback: str
    database: str
    documents: int = 0
    """About how many they are."""
    starts: tuple[str, ...] = ()
    """As with the repair (`shared.domain.data.repair.repair_plan`)."""


class RestoreStep(BatchedStep[RestoreGoal]):
    """It ends behind the last batch of the journal."""

    kind = KIND
    goal = RestoreGoal
