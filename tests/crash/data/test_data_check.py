"""A run through the data disturbed at every point: damage is found once, told once, and ended."""

from contextlib import suppress

import pytest

from shared.core.errors import RollbackError
from shared.core.store import Query
from shared.domain.audit.system_chain import system_events_path
from tests.support.data.data_checks import HOUR, SHOP, CheckedShop
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    ProcessCrash,
    enumerate_fault_points,
)

COUNTED = ("store.commit",)


def run(saboteur: FaultInjectorHook) -> CheckedShop:
    """Damage that is found by one run, and mended before the next; an hour has many minutes."""
    shop = CheckedShop(SHOP, hook=saboteur)
    saboteur.world = shop
    shop.write({"customers/eve": {"mail": "e@b"}})
    saboteur.active = True
    look(shop, saboteur)
    shop.write({"customers/eve": {"email": "e@b"}})
    look(shop, saboteur)
    saboteur.active = False
    shop.check()
    return shop


def look(shop: CheckedShop, saboteur: FaultInjectorHook) -> None:
    shop.ports.clock.advance(HOUR)
    for _ in range(3):
        try:
            with suppress(RollbackError):  # the next minute looks what became of it
                shop.check()
        except ProcessCrash:
            saboteur.revive()


@pytest.mark.parametrize(
    ("fault", "point"), enumerate_fault_points(run, COUNTED, (InjectedFault.CRASH, InjectedFault.LOST_ANSWER))
)
def test_a_fault_anywhere_loses_no_damage(fault: InjectedFault, point: int) -> None:
    """Whoever dies or is deaf, the next minute goes on where the record stands."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)

    shop = run(saboteur)

    assert saboteur.happened
    opened, closed = sorted(shop.alerts(), key=lambda one: one.state, reverse=True)
    assert (opened.state, closed.state) == ("open", "closed")
    assert opened.monitoring_id == closed.monitoring_id
    assert shop.record().findings == ()
    told = [one.path for one in shop.ports.store.query(Query(system_events_path("bookshop")))]
    assert len([one for one in told if "database_corruption" in one]) == 2
