"""A fault at each point from the end of a repair on, until those concerned by it are told."""

from collections import Counter
from datetime import timedelta

import pytest

from shared.core import topics
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.affected_users import PAID, build_shop_with_devices, pushed_messages, team_notices
from tests.support.data.corrupted_bookshop import CorruptedShop
from tests.support.faults.fault_injection import FaultInjectorHook, InjectedFault, deliver_all

TELLING = ("store.commit", "documents.get", "sender.send_each")


def told(saboteur: FaultInjectorHook) -> CorruptedShop:
    """A repair that is about to end; from there on something goes wrong."""
    spoilt = {"customers/ada": {"name": "Ada"}, "orders/2": {"customer": "bob", "status": "paid"}}
    shop = build_shop_with_devices(spoilt, {"orders/2": PAID})
    shop.order(restore_point="17m")
    shop.run_until_parked()
    shop.approve("bob")
    while shop.newest.status is not RollbackStatus.WATCHING:
        shop.pass_time(timedelta(seconds=30))
    shop.ports.clock.advance(shop.policy.execution.watch)
    for fake in (shop.ports.kept, shop.ports.sender, shop.ports.store):
        fake.hook = saboteur
    saboteur.world = shop
    saboteur.active = True
    for _ in range(12):
        shop.publish(topics.CLOCK, b"{}")
        deliver_all(shop, saboteur)
        shop.ports.clock.advance(timedelta(seconds=30))
    saboteur.active = False
    return shop


def points_of_telling() -> list[tuple[InjectedFault, int]]:
    counted = FaultInjectorHook(counted=TELLING)
    told(counted)
    return [(fault, point) for point in range(len(counted.points)) for fault in InjectedFault]


@pytest.mark.parametrize(("fault", "point"), points_of_telling())
def test_a_fault_while_those_concerned_are_told(fault: InjectedFault, point: int) -> None:
    """Each of them hears that it has ended, and a repeat says that it may be one."""
    saboteur = FaultInjectorHook(point, fault, TELLING)
    shop = told(saboteur)

    assert saboteur.happened
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    heard = pushed_messages(shop)
    assert {one.token for one in heard} == {"hush-ada", "hush-bob"}
    plain = Counter(one.token for one in heard if not one.sent.notice["repeated"])
    assert set(plain.values()) <= {1}
    assert len({one.sent.key for one in heard}) == 1
    assert team_notices(shop) == ""
