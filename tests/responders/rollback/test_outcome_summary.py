"""The outcome of a rollback that ended short of its plan."""

import pytest

from responders.rollback.outcome_summary import summarize_outcome
from shared.domain.rollback.plan import Step, StepStatus
from shared.engine.steps.functions import judge_canary, shift_traffic


@pytest.mark.parametrize(
    ("shifted", "judged", "outcome"),
    [
        (
            StepStatus.DONE,
            StepStatus.FAILED,
            "1 of 1 done, and not verified: judge payOrder: failed, no result in time",
        ),
        (StepStatus.BEGUN, StepStatus.SKIPPED, "1 of 1 not done: shift payOrder: started, no result in time"),
        (StepStatus.FAILED, StepStatus.SKIPPED, "1 of 1 not done: shift payOrder: failed, no result in time"),
    ],
)
def test_a_failed_check_is_no_target_that_is_not_done(
    shifted: StepStatus, judged: StepStatus, outcome: str
) -> None:
    late = "no result in time"
    shift = Step("shift payOrder", shift_traffic.KIND, "payOrder", writes=True, status=shifted, note=late)
    judge = Step("judge payOrder", judge_canary.KIND, "payOrder", number=1, status=judged, note=late)

    assert summarize_outcome([shift, judge]) == outcome
