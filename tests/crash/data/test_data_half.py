"""A death at each commit between the code half of a rollback and the question about documents."""

import pytest

from shared.domain.rollback.rollback import Direction, RollbackStatus
from tests.support.data.corrupting_release import MINUTE, SPOILT, SpoiltShop
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    enumerate_fault_points,
    pass_time_with_fault,
)


def run_with_fault(saboteur: FaultInjectorHook) -> SpoiltShop:
    shop = SpoiltShop(hook=saboteur)
    shop.pass_time(4 * MINUTE)
    pass_time_with_fault(shop, saboteur, 8 * MINUTE, 8 * MINUTE)
    return shop


@pytest.mark.parametrize(
    ("fault", "point"), enumerate_fault_points(run_with_fault, ("store.commit",), [InjectedFault.CRASH])
)
def test_a_process_that_dies_around_the_question(fault: InjectedFault, point: int) -> None:
    """Whichever commit it dies at, the question arises exactly once."""
    shop = run_with_fault(FaultInjectorHook(point, fault, ("store.commit",)))

    code, question = shop.rollbacks()
    assert (code.status, question.status) == (RollbackStatus.SUCCEEDED, RollbackStatus.PARKED)
    assert question.way is Direction.REPAIR
    assert shop.live == shop.before
    assert shop.order_one() == SPOILT
    assert shop.find_violated_invariants() == []
