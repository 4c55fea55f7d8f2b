"""A copy disturbed at every point: one database, nobody who was erased in it, gone in time."""

from datetime import timedelta
from functools import partial

import pytest

from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.policy.resources import BackupRules, CopyRules
from tests.support.data.database_copies import (
    DAY,
    MINUTE,
    add_whole_export,
    all_copies,
    audit_event_names,
    build_shop_with_copies,
    erase_customer,
    notified_events,
    only_copy,
    read_documents,
)
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    enumerate_fault_points,
    pass_time,
)
from tests.support.runtime.world import World

COUNTED = ("restores.clone", "restores.create", "restores.fill", "restores.delete")
"""A commit lies before and behind each of them: that of the intent, and that of what came of it."""
RULES = BackupRules(copies=CopyRules(kept=timedelta(minutes=12)))
WAYS = ("window", "export")


def run(saboteur: FaultInjectorHook, way: str) -> World:
    """A copy is asked for, ready, and let go; Ada is erased before."""
    shop = build_shop_with_copies(RULES, saboteur)
    saboteur.world = shop
    point = "1h"
    if way == "export":
        point = add_whole_export(shop).id
        shop.ports.clock.advance(10 * DAY)
    erase_customer(shop, "ada")
    seen: list[list[str]] = []
    shop.command(command="copy", system="bookshop", restore_point=point)
    saboteur.active = True
    for _ in range(16):
        pass_time(shop, saboteur, 2 * MINUTE)
        seen += [
            sorted(read_documents(shop, one.id))
            for one in all_copies(shop)
            if one.status is FillStatus.READY and one.id in shop.ports.filled.made
        ]
    saboteur.active = False
    pass_time(shop, saboteur, 15 * MINUTE)
    assert seen
    assert all(one == ["customers/bob", "orders/2"] for one in seen), seen
    return shop


def points_of_each() -> list[tuple[str, InjectedFault, int]]:
    return [(way, *one) for way in WAYS for one in enumerate_fault_points(partial(run, way=way), COUNTED)]


@pytest.mark.parametrize(("way", "fault", "point"), points_of_each())
def test_a_fault_anywhere_makes_one_copy_and_lets_it_go(way: str, fault: InjectedFault, point: int) -> None:
    """Whoever dies, is deaf or stands still, the next one finds what was begun and ends it."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)

    shop = run(saboteur, way)

    assert saboteur.happened
    made = only_copy(shop)
    assert (made.status, made.faults) == (FillStatus.DELETED, ())
    assert audit_event_names(shop) == ["copy.made", "copy.ready", "copy.ends", "copy.deleted"]
    assert len(notified_events(shop)) == 3
    assert shop.ports.filled.made == [ORIGINAL]
    assert len(shop.ports.filled.ever) == 1
