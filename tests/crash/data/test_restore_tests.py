"""A proof disturbed at every point: what it comes to stays, and no database is left behind."""

import pytest

from shared.domain.data.backups.filled_database import FillStatus
from tests.support.data.restore_tests import (
    MINUTE,
    build_system_with_restore_tests,
    notified_events,
    only_proof,
    proof_event_names,
)
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    enumerate_fault_points,
    pass_time_with_fault,
)
from tests.support.runtime.world import World

COUNTED = ("restores.create", "restores.fill", "restores.delete")
"""A commit lies before and behind each of them: that of the intent, and that of what came of it."""


def run(saboteur: FaultInjectorHook) -> World:
    shop = build_system_with_restore_tests(hook=saboteur)
    pass_time_with_fault(shop, saboteur, 15 * MINUTE, 10 * MINUTE)
    return shop


@pytest.mark.parametrize(("fault", "point"), enumerate_fault_points(run, COUNTED))
def test_a_fault_anywhere_leaves_a_proof_and_no_scratch_database(fault: InjectedFault, point: int) -> None:
    """Whoever dies, is deaf or stands still, the next one finds what was begun and ends it."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)

    shop = run(saboteur)

    assert saboteur.happened
    found = only_proof(shop)
    assert (found.status, found.faults, found.compared) == (FillStatus.PROVEN, (), 40)
    assert proof_event_names(shop) == ["backup.restoring", "backup.restored", "backup.proven"]
    assert notified_events(shop) == []
    left = set(shop.ports.filled.made) - {ORIGINAL}
    assert left == set() or fault is InjectedFault.ZOMBIE
    assert left <= {found.database}
