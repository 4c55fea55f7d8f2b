from random import Random

import pytest
from msgspec.structs import replace

from shared.domain.rollback.plan import Step, StepStatus
from shared.engine.checkpoints import StepTable


@pytest.mark.parametrize("seed", range(20))
def test_what_is_under_way_is_known_whatever_becomes_of_the_steps(seed: int) -> None:
    """In the plan's order, as a look at each of them would find it; and what was set is known."""
    random, statuses = Random(seed), list(StepStatus)
    steps = [Step(f"{n}", "any", "any", number=n, status=random.choice(statuses)) for n in range(9)]
    hand = StepTable({step.name: step for step in steps})
    assert hand.touched == set()

    for turn in range(60):
        begun = [step for step in hand.values() if step.status is StepStatus.BEGUN]
        assert hand.begun_steps() == begun, turn
        name = random.choice([*hand])
        hand[name] = replace(hand[name], status=random.choice(statuses))
        assert name in hand.touched
    assert [*hand] == [step.name for step in steps]
