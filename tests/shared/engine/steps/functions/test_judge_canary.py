"""A canary that no probe tells of: its revisions must be there, and ready."""

from datetime import timedelta

from shared.core.codec import encode
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.rollback.plan import Step
from shared.engine.steps.base import StepVerdict, step_context
from shared.engine.steps.functions.judge_canary import KIND, CanaryGoal, JudgeCanaryStep
from tests.support.runtime.world import BOOKSHOP, FakePorts

BASKET = "renderBasket"


def test_a_canary_whose_revision_is_not_ready() -> None:
    """The routers lead to it all the same: it is looked at again, until its time is over."""
    ports = FakePorts(BOOKSHOP)
    [old] = ports.world.live(BASKET)
    ports.world.deploy([BASKET])
    ports.world.change_by_hand(BASKET, (TrafficTarget(old, 100),))
    ports.clock.advance(timedelta(minutes=1))
    service = ports.world.inventory()[BASKET].service
    goal = CanaryGoal(service.name, {old: 100}, newest=service.latest_created)
    step = Step("judge storefront", KIND, BASKET, goal=encode(goal))
    judge = JudgeCanaryStep(step_context(ports, BOOKSHOP.system))
    ready = judge.look(step)

    ports.world.lose_image(BASKET)
    lost = judge.look(step)

    assert (ready.verdict, lost.verdict) == (StepVerdict.AT_GOAL, StepVerdict.UNDER_WAY)
    assert lost.note == f"{old} is not ready"


def test_a_canary_whose_service_is_gone() -> None:
    """Nobody can judge it: its group does not follow."""
    ports = FakePorts(BOOKSHOP)
    goal = CanaryGoal("projects/p/locations/l/services/none", {"none-1": 100})
    step = Step("judge storefront", KIND, BASKET, goal=encode(goal))

    look = JudgeCanaryStep(step_context(ports, BOOKSHOP.system)).look(step)

    assert look.verdict is StepVerdict.IMPOSSIBLE
