"""Documents brought back, a piece of a collection at a time, in portions.

Each document is written under the time at which it was read, so that a portion which is done again
finds what it has done. One that is gone has no such time: a create that lands late would make again
what somebody has deleted once more, and nothing but its deadline stops that.
"""

from shared.domain.data.repair.repair_plan import KIND, RepairGoal
from shared.engine.steps.documents.batched import BatchedStep

__all__ = ["KIND", "RepairStep"]


class RepairStep(BatchedStep[RepairGoal]):
    """It ends behind the last document of its piece."""

    kind = KIND
    goal = RepairGoal
