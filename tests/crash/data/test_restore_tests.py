"""A proof disturbed at every point: what it comes to stays, and no database is left behind."""

from __future__ import annotations

import pytest

from shared.domain.data.backups.filled_database import FillStatus
from tests.support.data.restore_tests import MINUTE, notified, proof, told, world
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.faults.fault_injection import Fault, Saboteur, disturbed, points
from tests.support.runtime.world import World

COUNTED = ("restores.create", "restores.fill", "restores.delete")
"""A commit lies before and behind each of them: that of the intent, and that of what came of it."""


def run(saboteur: Saboteur) -> World:
    shop = world(hook=saboteur)
    disturbed(shop, saboteur, 15 * MINUTE, 10 * MINUTE)
    return shop


@pytest.mark.parametrize(("fault", "point"), points(run, COUNTED))
def test_a_fault_anywhere_leaves_a_proof_and_no_scratch_database(fault: Fault, point: int) -> None:
    """Whoever dies, is deaf or stands still, the next one finds what was begun and ends it."""
    saboteur = Saboteur(point, fault, COUNTED)

    shop = run(saboteur)

    assert saboteur.happened
    found = proof(shop)
    assert (found.status, found.faults, found.compared) == (FillStatus.PROVEN, (), 40)
    assert told(shop) == ["backup.restoring", "backup.restored", "backup.proven"]
    assert notified(shop) == []
    left = set(shop.ports.filled.made) - {ORIGINAL}
    assert left == set() or fault is Fault.ZOMBIE
    assert left <= {found.database}
