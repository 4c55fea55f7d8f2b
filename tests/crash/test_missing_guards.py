from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from shared.core.errors import RollbackError
from shared.domain.rollback.plan import Step
from shared.engine.engine import Engine
from shared.engine.lease import LeasedRollback
from shared.engine.step_scheduler import EffectSent
from shared.engine.steps.base import StepObservation
from shared.engine.steps.functions import shift_traffic
from tests.simulation.mutants.lease import no_fence_on_intents, no_receipt
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, run_with_fault
from tests.support.faults.fault_points import POINTS, VARIANTS, assert_the_same_world


def survives(saboteur: FaultInjectorHook) -> bool:
    """Whether the path still ends in the same world."""
    try:
        assert_the_same_world(run_with_fault(saboteur))
    except (AssertionError, RollbackError):
        return False
    return True


def no_look_before_set() -> AbstractContextManager[Any]:
    """A shift is sent from wherever its service stands."""

    def blind(
        self: Engine, tenure: LeasedRollback, step: Step, may_set: bool
    ) -> StepObservation | EffectSent:
        kind = self._kinds[step.kind]
        look = kind.look(step)
        if step.operation or step.kind != shift_traffic.KIND:
            return look
        return EffectSent(kind.set(replace(step, seen=look.token)))

    return patch.object(Engine, "_attempt", blind)


@pytest.mark.parametrize(
    ("without", "fault"),
    [
        (no_fence_on_intents, InjectedFault.ZOMBIE),
        (no_look_before_set, InjectedFault.CRASH),
        (no_receipt, InjectedFault.LOST_ANSWER),
    ],
)
def test_an_engine_without_a_guard_is_found_out(
    without: Callable[[], AbstractContextManager[Any]], fault: InjectedFault
) -> None:
    """The campaign has teeth: a guard that is taken away is missed at a fault, and only there.

    That the whole engine survives each of these faults is `tests.crash.test_every_point`.
    """
    assert (fault, False, False) in VARIANTS

    with without():
        assert survives(FaultInjectorHook())
        assert not all(survives(FaultInjectorHook(point, fault)) for point in range(POINTS))
