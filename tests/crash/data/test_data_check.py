"""A run through the data disturbed at every point: damage is found once, told once, and ended."""

from __future__ import annotations

from contextlib import suppress

import pytest

from responders.jobs.data_check import Checking
from shared.core.errors import RollbackError
from shared.core.store import Query
from shared.domain.audit.system_chain import events_of
from tests.support.data.data_checks import HOUR, SHOP, Shop
from tests.support.faults.fault_injection import Crashed, Fault, Saboteur, points

COUNTED = ("store.commit",)


def run(saboteur: Saboteur) -> Shop:
    """Damage that is found by one run, and mended before the next; an hour has many minutes."""
    shop = Shop(SHOP, hook=saboteur)
    saboteur.world = shop
    shop.write({"customers/eve": {"mail": "e@b"}})
    saboteur.active = True
    look(shop, saboteur)
    shop.write({"customers/eve": {"email": "e@b"}})
    look(shop, saboteur)
    saboteur.active = False
    shop.checking.check()
    return shop


def look(shop: Shop, saboteur: Saboteur) -> None:
    shop.ports.clock.advance(HOUR)
    for _ in range(3):
        try:
            with suppress(RollbackError):  # the next minute looks what became of it
                shop.checking.check()
        except Crashed:
            saboteur.revive()
            shop.checking = Checking(shop.ports, {"bookshop": SHOP})


@pytest.mark.parametrize(("fault", "point"), points(run, COUNTED, (Fault.CRASH, Fault.LOST_ANSWER)))
def test_a_fault_anywhere_loses_no_damage(fault: Fault, point: int) -> None:
    """Whoever dies or is deaf, the next minute goes on where the record stands."""
    saboteur = Saboteur(point, fault, COUNTED)

    shop = run(saboteur)

    assert saboteur.happened
    opened, closed = sorted(shop.alerts(), key=lambda one: one.state, reverse=True)
    assert (opened.state, closed.state) == ("open", "closed")
    assert opened.monitoring_id == closed.monitoring_id
    assert shop.record().findings == ()
    told = [one.path for one in shop.ports.store.query(Query(events_of("bookshop")))]
    assert len([one for one in told if "database_corruption" in one]) == 2
