"""A fence disturbed at every point, a person's and a repair's: it falls, and all is as it was."""

from collections.abc import Sequence

import pytest

from shared.domain.data.isolation.write_fence import FenceStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.corrupted_bookshop import GOOD, SPOILT
from tests.support.data.repair_behind_fence import FencedShop, assert_unfenced, order_fenced_undo
from tests.support.data.repair_behind_fence import build_repaired_shop as fence_down
from tests.support.data.write_fence import (
    BEFORE,
    MINUTE,
    build_shop_with_fence,
    count_freeze_windows,
    fence_event_names,
    raise_fence,
    read_fence,
    remove_policy,
    writer_scalings,
)
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    enumerate_fault_points,
    pass_time,
    pass_time_with_fault,
)
from tests.support.runtime.world import World

COUNTED = ("platform.shift",)
"""A commit lies before and behind each of them: that of the intent, and that of what came of it."""


def run(saboteur: FaultInjectorHook) -> World:
    """It is raised, stands, is lifted, and is down."""
    shop = build_shop_with_fence(hook=saboteur)
    saboteur.world = shop
    shop.command(command="fence", system="bookshop")
    saboteur.active = True
    pass_time(shop, saboteur, 3 * MINUTE)
    shop.command(command="lift-fence", system="bookshop")
    pass_time(shop, saboteur, 3 * MINUTE)
    saboteur.active = False
    pass_time(shop, saboteur, 10 * MINUTE)
    return shop


@pytest.mark.parametrize(("fault", "point"), enumerate_fault_points(run, COUNTED))
def test_a_fault_anywhere_leaves_nothing_stopped(fault: InjectedFault, point: int) -> None:
    """Whoever dies, is deaf or stands still, the next one finds what was stopped and starts it."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)

    shop = run(saboteur)

    assert saboteur.happened
    assert read_fence(shop).status is FenceStatus.DOWN
    assert writer_scalings(shop) == BEFORE
    assert count_freeze_windows(shop) == 0
    assert len(set(fence_event_names(shop))) == len(fence_event_names(shop))


def abandoned(saboteur: FaultInjectorHook) -> World:
    """It stands, and its policy is removed: whoever comes next knows of another system alone."""
    shop = build_shop_with_fence(hook=saboteur)
    saboteur.world = shop
    raise_fence(shop)
    remove_policy(shop)
    pass_time_with_fault(shop, saboteur, 3 * MINUTE, 10 * MINUTE)
    return shop


@pytest.mark.parametrize(("fault", "point"), enumerate_fault_points(abandoned, COUNTED))
def test_a_fault_anywhere_without_its_policy_leaves_nothing_stopped(fault: InjectedFault, point: int) -> None:
    """What it has on record is enough for whoever follows."""
    saboteur = FaultInjectorHook(point, fault, COUNTED)
    shop = abandoned(saboteur)

    assert saboteur.happened
    assert read_fence(shop).status is FenceStatus.DOWN
    assert (writer_scalings(shop), count_freeze_windows(shop)) == (BEFORE, 0)


AROUND = ("platform.shift", "quarantine.keep", "rewrites.rewrite")
EVERYTHING = (*AROUND, "store.commit")
NEAR = 20


def repaired(saboteur: FaultInjectorHook) -> FencedShop:
    """A second person has agreed: the fence is raised, documents are written, and it falls."""
    shop = FencedShop(hook=saboteur)
    saboteur.world = shop
    shop.order_repair()
    shop.command("bob", command="approve", system="bookshop", incident=shop.newest.incident)
    pass_time_with_fault(shop, saboteur, 6 * MINUTE, 12 * MINUTE)
    return shop


def assert_repaired(shop: FencedShop) -> None:
    """Each document is back and written once, and every function is what it was."""
    assert shop.data == GOOD
    assert sorted(shop.ports.rewritten.written) == sorted(SPOILT)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert len(set(fence_event_names(shop))) == len(fence_event_names(shop)) == 4
    assert_unfenced(shop)


def around() -> list[tuple[InjectedFault, int]]:
    counted = FaultInjectorHook(counted=AROUND)
    assert_repaired(repaired(counted))
    assert {one.split()[1] for one in counted.points} == set(AROUND)
    return [(fault, point) for fault in InjectedFault for point in range(len(counted.points))]


@pytest.mark.parametrize(("fault", "point"), around())
def test_a_fault_at_an_effect_behind_a_fence(fault: InjectedFault, point: int) -> None:
    """Whoever dies, is deaf or stands still: the documents are back, and the fence is down."""
    saboteur = FaultInjectorHook(point, fault, AROUND)
    shop = repaired(saboteur)

    assert saboteur.happened
    assert_repaired(shop)


def commits() -> list[int]:
    """After each commit, from those that raise it on to those by which it is down."""
    counted = FaultInjectorHook(counted=EVERYTHING)
    repaired(counted)
    return near_effects(counted.points)


def near_effects(points: Sequence[str]) -> list[int]:
    """After each commit shortly before the first effect, until shortly after the last."""
    effects = [number for number, point in enumerate(points) if "store" not in point]
    near = range(max(0, effects[0] - NEAR), effects[-1] + NEAR)
    return [number for number in near if points[number] == "after store.commit"]


@pytest.mark.parametrize("point", commits())
def test_a_crash_at_a_commit_behind_a_fence(point: int) -> None:
    """The next worker goes on where that one was, with the fence as with the documents."""
    saboteur = FaultInjectorHook(point, InjectedFault.CRASH, EVERYTHING)
    shop = repaired(saboteur)

    assert saboteur.happened
    assert_repaired(shop)


def undone(saboteur: FaultInjectorHook) -> FencedShop:
    """A repair that went well is taken back, by a second person's word, behind a fence again."""
    shop = fence_down(FencedShop(hook=saboteur))
    order_fenced_undo(shop)
    shop.ports.rewritten.written.clear()
    shop.command("bob", command="approve", system="bookshop", incident=shop.newest.incident)
    pass_time_with_fault(shop, saboteur, 6 * MINUTE, 12 * MINUTE)
    return shop


def assert_undone(shop: FencedShop) -> None:
    """Each document is as the repair has found it, written once, and every function as before."""
    assert shop.data == {**GOOD, **SPOILT}
    assert sorted(shop.ports.rewritten.written) == sorted(SPOILT)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert read_fence(shop).rollback == shop.newest.id
    assert_unfenced(shop)


def around_the_undo() -> list[tuple[InjectedFault, int]]:
    counted = FaultInjectorHook(counted=AROUND)
    assert_undone(undone(counted))
    assert {one.split()[1] for one in counted.points} == set(AROUND)
    return [(fault, point) for fault in InjectedFault for point in range(len(counted.points))]


@pytest.mark.parametrize(("fault", "point"), around_the_undo())
def test_a_fault_at_an_effect_of_an_undo_behind_a_fence(fault: InjectedFault, point: int) -> None:
    """Whoever dies, is deaf or stands still: it is taken back, and the fence is down."""
    saboteur = FaultInjectorHook(point, fault, AROUND)
    shop = undone(saboteur)

    assert saboteur.happened
    assert_undone(shop)


def commits_of_the_undo() -> list[int]:
    """As of the repair."""
    counted = FaultInjectorHook(counted=EVERYTHING)
    undone(counted)
    return near_effects(counted.points)


@pytest.mark.parametrize("point", commits_of_the_undo())
def test_a_crash_at_a_commit_of_an_undo_behind_a_fence(point: int) -> None:
    """The one that raises it with the plan included."""
    saboteur = FaultInjectorHook(point, InjectedFault.CRASH, EVERYTHING)
    shop = undone(saboteur)

    assert saboteur.happened
    assert_undone(shop)
