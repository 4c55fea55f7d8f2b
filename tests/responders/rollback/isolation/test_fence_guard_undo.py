"""An undo of a repair, which writes behind a fence as well."""

from msgspec.structs import replace

from shared.core.errors import Rejected
from shared.domain.data.isolation.write_fence import FenceStatus
from shared.domain.rollback.rollback import RollbackStatus
from shared.domain.signals.health import ProbeAnswer
from tests.support.data.corrupted_bookshop import GOOD, MINUTE, SPOILT
from tests.support.data.repair_behind_fence import (
    FencedShop,
    assert_unfenced,
    build_repaired_shop,
    hold_reasons,
    order_fenced_undo,
)
from tests.support.data.write_fence import RULES, fence_event_names, read_fence


def test_an_undo_writes_behind_a_fence_as_well() -> None:
    """Raised by the second word, asked before each batch, and fallen at the end."""
    shop = build_repaired_shop(FencedShop())
    order_fenced_undo(shop)
    question = shop.newest.question
    assert question is not None
    assert "nothing of checkout writes: a fence is raised" in str(question.plan.reported)
    assert read_fence(shop).is_over

    shop.approve("bob")
    shop.pass_time(8 * MINUTE)
    assert read_fence(shop).rollback == shop.newest.id
    assert shop.behind == 2 * [FenceStatus.STANDING]
    assert shop.data == {**GOOD, **SPOILT}
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert fence_event_names(shop) == 2 * ["fence.raising", "fence.stands", "fence.falls", "fence.down"]
    assert_unfenced(shop)


def test_an_undo_whose_fence_does_not_stand() -> None:
    """No document is put back, and everything is as it was."""
    shop = build_repaired_shop(FencedShop())
    order_fenced_undo(shop)
    shop.ports.prober.answers[RULES.canary] = ProbeAnswer(True, 200)
    shop.approve("bob")
    shop.pass_time(14 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "still writes" in shop.newest.outcome
    assert shop.behind == []
    assert shop.data == GOOD
    assert_unfenced(shop)


def test_an_undo_whose_fence_falls_halfway() -> None:
    """Nothing is written without it, and what was is told."""
    shop = build_repaired_shop(FencedShop())
    order_fenced_undo(shop)
    shop.before_a_batch(shop.lift_fence)
    shop.approve("bob")
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "no more documents are written: the fence was lifted: lifted by carol" in shop.newest.outcome
    assert shop.data == GOOD
    assert_unfenced(shop)


def test_an_undo_waits_for_the_fence_of_its_repair_to_fall() -> None:
    """That one falls with the repair, and would not outlast the undo."""
    shop = FencedShop()
    shop.order_repair()

    def refused(verb: str, side: str) -> None:
        shop.require_stopped_writers(verb, side)
        if (verb, side) == ("rewrites.rewrite", "before") and len(shop.behind) == 2:
            shop.ports.rewritten.hook = shop.require_stopped_writers
            raise Rejected("PERMISSION_DENIED")

    shop.ports.rewritten.hook = refused
    shop.approve("bob")
    shop.run_until(lambda: shop.newest.status is RollbackStatus.FAILED)
    first = read_fence(shop)
    assert first.status is not FenceStatus.DOWN
    shop.carry_out("undo", "alice", incident=shop.newest.incident)
    shop.run_until(lambda: shop.newest.status is RollbackStatus.PARKED)
    assert read_fence(shop).status is FenceStatus.DOWN
    assert "fence" in hold_reasons(shop)
    shop.behind.clear()
    shop.approve("bob")
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert read_fence(shop).rollback == shop.newest.id
    assert shop.behind == [FenceStatus.STANDING]
    assert shop.data == {**GOOD, **SPOILT}
    assert_unfenced(shop)


def test_an_undo_that_no_fence_can_outlast_is_not_begun() -> None:
    """It says so, and why."""
    shop = build_repaired_shop(FencedShop())
    shop.policy = replace(shop.policy, fence=replace(RULES, longest=4 * MINUTE))
    shop.start_instances()
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.pass_time(2 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "a fence may be up for 4 min 0 s (fence.longest)" in shop.newest.outcome
    assert shop.data == GOOD
