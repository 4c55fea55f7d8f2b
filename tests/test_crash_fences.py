"""A fence disturbed at every point: it falls, and every function is exactly what it was."""

from __future__ import annotations

import pytest

from shared.fence import Status
from tests.crash import Fault, Saboteur
from tests.test_crash_backups import pass_time
from tests.test_fencing import BEFORE, MINUTE, fence_of, scalings, told, windows, world
from tests.world import World

COUNTED = ("platform.shift",)
"""A commit lies before and behind each of them: that of the intent, and that of what came of it."""


def run(saboteur: Saboteur) -> World:
    """It is raised, stands, is lifted, and is down."""
    shop = world(hook=saboteur)
    saboteur.world = shop
    shop.command(command="fence", system="bookshop")
    saboteur.active = True
    pass_time(shop, saboteur, 3 * MINUTE)
    shop.command(command="lift-fence", system="bookshop")
    pass_time(shop, saboteur, 3 * MINUTE)
    saboteur.active = False
    pass_time(shop, saboteur, 10 * MINUTE)
    return shop


def points() -> list[tuple[Fault, int]]:
    counted = Saboteur(counted=COUNTED)
    run(counted)
    return [(fault, point) for fault in Fault for point in range(len(counted.points))]


@pytest.mark.parametrize(("fault", "point"), points())
def test_a_fault_anywhere_leaves_nothing_stopped(fault: Fault, point: int) -> None:
    """Whoever dies, is deaf or stands still, the next one finds what was stopped and starts it."""
    saboteur = Saboteur(point, fault, COUNTED)

    shop = run(saboteur)

    assert saboteur.happened
    assert fence_of(shop).status is Status.DOWN
    assert scalings(shop) == BEFORE
    assert windows(shop) == 0
    assert len(set(told(shop))) == len(told(shop))
