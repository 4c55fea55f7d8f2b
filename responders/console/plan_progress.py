"""A plan's steps as people follow them: batch by batch, function by function. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from shared.domain.rollback.plan import ENDED_STEP_STATUSES, Step, StepStatus
from shared.engine.steps.functions.judge_canary import KIND as JUDGE

OTHER_STEPS_BATCH = "beside the functions"


class StepProgress(Struct, frozen=True):
    """One step: of a function, or of something beside them."""

    name: str
    status: StepStatus
    note: str
    judged: bool
    """Whether it is the look at a canary, and changes nothing."""


class FunctionBatch(Struct, frozen=True):
    """A group of functions, which follow their canary; or all that is beside the functions."""

    name: str
    rows: tuple[StepProgress, ...]

    @property
    def total(self) -> int:
        """How many steps it has."""
        return len(self.rows)

    @property
    def ended(self) -> int:
        """How many of them have ended."""
        return sum(row.status in ENDED_STEP_STATUSES for row in self.rows)

    @property
    def unsuccessful(self) -> int:
        """How many of them have ended otherwise than they were to."""
        return sum(row.status in ENDED_STEP_STATUSES - {StepStatus.DONE} for row in self.rows)


def group_steps_into_batches(steps: Iterable[Step], groups: Mapping[str, str]) -> list[FunctionBatch]:
    """Return the needed steps by batch, in the plan's order; `groups`: each function's group."""
    found: dict[str, list[StepProgress]] = {}
    for step in steps:
        waits_in_vain = step.instead_of and step.begun_at is None
        if waits_in_vain or step.status is StepStatus.UNNEEDED:
            continue
        row = StepProgress(step.target, step.status, step.note, step.kind == JUDGE)
        found.setdefault(groups.get(step.target, OTHER_STEPS_BATCH), []).append(row)
    return [FunctionBatch(name, tuple(rows)) for name, rows in found.items()]
