"""Data brought back out of a copy, and behind a fence: what each of them is for."""

from datetime import timedelta

from msgspec.structs import replace

from shared.core import topics
from shared.core.store import Query
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.isolation.write_fence import FenceStatus
from shared.domain.policy.data_rules import FenceRules
from shared.domain.policy.resources import BackupRules, CopyRules
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.corrupted_bookshop import GOOD, HERE, MINUTE, SHOP, SPOILT, CorruptedShop
from tests.support.data.database_copies import only_copy
from tests.support.data.write_fence import read_fence
from tests.support.notices.system_events import refusal_reasons

DAY = timedelta(days=1)
RULES = BackupRules(copies=CopyRules())
FENCED = FenceRules(invariants=("an order is paid once",), writers=("checkout",), canary="order-status")
POLICY = replace(SHOP, backups=RULES)


def spoilt_for_long(**counts: int) -> tuple[CorruptedShop, str]:
    """A shop whose damage is older than its window, and the backup of before."""
    shop = CorruptedShop(POLICY, spoilt={})
    shop.ports.databases.hold_documents(HERE, **counts)
    shop.ports.databases.back_up(HERE, 60 * DAY)
    [backup] = shop.ports.databases.backups(HERE)
    shop.advance_clock(MINUTE)
    shop.write(SPOILT)
    shop.spoilt = SPOILT
    shop.advance_clock(9 * DAY)
    return shop, backup.name


def copied(shop: CorruptedShop, backup: str) -> str:
    """The copy of the backup, once it is ready."""
    shop.carry_out("copy", restore_point=backup)
    shop.pass_time(12 * MINUTE)
    assert only_copy(shop).status is FillStatus.READY
    return only_copy(shop).id


def test_what_is_older_than_the_window_comes_back_out_of_a_copy() -> None:
    """Two words: a copy of the backup, and then what is to be brought back from it."""
    shop, backup = spoilt_for_long()
    name = copied(shop, backup)

    parked = shop.order_until_parked(restore_point=name)
    assert parked.question is not None
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED, shop.newest.outcome
    assert shop.data == GOOD
    assert shop.written() == set(SPOILT)
    assert shop.find_violated_invariants() == []


def test_a_backup_itself_is_copied_first() -> None:
    """Its documents cannot be read where they lie; the answer says what to do."""
    shop, backup = spoilt_for_long()
    shop.order(restore_point=backup)
    shop.pass_time(40 * MINUTE)

    assert [one for one in shop.rollbacks() if one.plan] == []
    assert "have it copied first (minutes to hours" in refusal_reasons(shop)[-1]
    assert shop.data == {**GOOD, **SPOILT}


def test_a_copy_that_takes_longer_than_the_target_says_so_before_it_begins() -> None:
    """By the declared speed, until a restore test has measured it."""
    shop, backup = spoilt_for_long(customers=1_200_000)

    shop.order(restore_point=backup)
    shop.carry_out("copy", restore_point=backup)

    assert "last document in about 40 min" in refusal_reasons(shop)[-1]
    assert "MORE THAN the target of 15 min" in refusal_reasons(shop)[-1]
    results = [str((one.fields or {}).get("result")) for one in shop.store.query(Query("commands"))]
    assert any("last document in about 40 min" in one for one in results)


def test_behind_a_fence_nothing_writes_meanwhile() -> None:
    """What people order is carried out behind it, and all is as it was in the end."""
    shop = CorruptedShop(replace(POLICY, fence=FENCED))
    shop.carry_out("fence", expires="30m")
    assert read_fence(shop).status is FenceStatus.STANDING

    shop.order_until_parked()
    shop.approve("bob")
    shop.pass_time(4 * MINUTE)
    assert shop.data == GOOD
    assert read_fence(shop).status is FenceStatus.STANDING
    shop.carry_out("lift-fence")
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED, shop.newest.outcome
    assert read_fence(shop).status is FenceStatus.DOWN
    services = shop.platform.services().values()
    assert {one.scaling.manual for one in services} == {None}
    assert refusal_reasons(shop) == []
    assert [one for one in shop.ports.bus.messages if one.topic == topics.DEAD_LETTERS] == []
