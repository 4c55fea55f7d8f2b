"""A repair whose fence does not stand, or falls before its time: nothing more is written."""

import pytest

from shared.core.store import Update
from shared.domain.commands import command as commands
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.corrupted_bookshop import GOOD, MINUTE, SPOILT
from tests.support.data.repair_behind_fence import (
    FencedShop,
    assert_unfenced,
    freeze_system,
    remove_fence_from_policy,
)
from tests.support.data.write_fence import (
    BEFORE,
    count_freeze_windows,
    read_fence,
    remove_policy,
    writer_scalings,
)


def test_a_fence_that_nobody_raises_ends_it() -> None:
    """Whoever was to raise it never does."""
    shop = FencedShop()
    shop.order_repair()
    shop.approve_and_raise_fence()
    shop.store.commit([Update(commands.command_path(read_fence(shop).command), {"due_at": None})])
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.FAILED
    assert "the fence is not active" in shop.newest.outcome


def test_a_fence_that_does_not_stand_ends_it() -> None:
    """No document is written, and that is told with the reason."""
    shop = FencedShop()
    shop.order_repair()
    shop.approve_and_raise_fence()
    shop.pass_time(12 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "no document was written: the fence was lifted" in shop.newest.outcome
    assert "still writes" in shop.newest.outcome
    assert shop.behind == []
    assert shop.data == {**GOOD, **SPOILT}
    assert_unfenced(shop)


def test_a_fence_that_falls_ends_it_halfway() -> None:
    """What is written stays, nothing more is, and what was not is told."""
    shop = FencedShop()
    shop.order_repair()
    shop.after_a_batch(shop.lift_fence)
    shop.approve("bob")
    shop.pass_time(8 * MINUTE)

    assert len(shop.behind) == 1
    assert len(shop.written()) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "no more documents are written: the fence was lifted: lifted by carol" in shop.newest.outcome
    assert_unfenced(shop)


def test_a_fence_that_falls_between_two_requests_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first one has written is on record, and so told."""
    monkeypatch.setattr("responders.data.repair.writer.MAX_REWRITE_BYTES", 1)
    shop = FencedShop(spoilt={"customers/ada": {"name": "Ada"}, "customers/bob": {"name": "Bob"}})
    shop.order_repair()
    shop.after_a_batch(shop.lift_fence)
    shop.approve("bob")
    shop.pass_time(4 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert shop.ports.rewritten.written == ["customers/ada"]
    assert shop.written() == {"customers/ada"}


def test_another_fence_is_not_the_one_that_it_was_begun_behind() -> None:
    """Between both the application has written."""
    shop = FencedShop()
    shop.order_repair()

    def replaced() -> None:
        later = {"began_at": shop.now}
        shop.store.commit([Update("fences/bookshop", later)])

    shop.after_a_batch(replaced)
    shop.approve("bob")
    shop.pass_time(6 * MINUTE)
    assert "another one is active" in shop.newest.outcome
    assert len(shop.behind) == 1


def test_cancelled_while_it_is_waited_for() -> None:
    """It falls, whatever has become of its rollback."""
    shop = FencedShop()
    shop.order_repair()
    shop.approve_and_raise_fence()
    shop.carry_out("cancel", "alice", incident=shop.newest.incident)
    assert shop.newest.status is RollbackStatus.CANCELLED
    shop.pass_time(8 * MINUTE)

    assert shop.behind == []
    assert read_fence(shop).why == f"{shop.newest.id} writes no more documents"
    assert_unfenced(shop)


def test_frozen_before_it_stands() -> None:
    """Nothing is stopped for a repair that may not begin."""
    shop = FencedShop()
    shop.order_repair()
    shop.approve_and_raise_fence()
    freeze_system(shop)
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "a person has stopped automation" in shop.newest.outcome
    assert shop.behind == []
    assert writer_scalings(shop) == BEFORE
    assert count_freeze_windows(shop) == 1


def test_paused_before_it_stands() -> None:
    """The kill switch lets it fall, and the repair ends with that."""
    shop = FencedShop()
    shop.order_repair()
    shop.approve_and_raise_fence()
    shop.send_command("pause", "carol")
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "a person has stopped automation" in shop.newest.outcome
    assert_unfenced(shop)


def test_a_policy_that_declares_none_any_more_ends_what_waits_for_it() -> None:
    """What was agreed to was a repair behind a fence."""
    shop = FencedShop()
    shop.order_repair()
    shop.approve_and_raise_fence()
    remove_fence_from_policy(shop)
    shop.pass_time(8 * MINUTE)

    assert shop.behind == []
    assert shop.newest.status is RollbackStatus.FAILED
    assert shop.newest.outcome.startswith("no document was written: ")
    assert read_fence(shop).why == "the policy declares no fence any more"
    assert_unfenced(shop)


def test_a_policy_that_declares_none_any_more_ends_it_halfway() -> None:
    """The fence falls with it, and nothing more is written without."""
    shop = FencedShop()
    shop.order_repair()
    shop.after_a_batch(shop.pause_system)
    shop.approve("bob")
    shop.pass_time(MINUTE)
    remove_fence_from_policy(shop)
    shop.pass_time(MINUTE)
    shop.command("carol", command="resume")
    shop.pass_time(8 * MINUTE)

    assert len(shop.behind) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "the policy declares no fence any more" in shop.newest.outcome
    assert_unfenced(shop)


def test_a_policy_that_is_removed_while_documents_are_written_behind_its_fence() -> None:
    """The fence falls by itself; once the policy is back, nothing more is written without one."""
    shop = FencedShop()
    shop.order_repair()
    shop.after_a_batch(shop.pause_system)
    shop.approve("bob")
    shop.pass_time(MINUTE)
    known, system = shop.policy, shop.ports.system
    remove_policy(shop)
    shop.pass_time(8 * MINUTE)
    assert_unfenced(shop)

    shop.policy, shop.ports.system = known, system  # type: ignore[method-assign]  # it is back
    shop.start_instances()
    shop.command("carol", command="resume")
    shop.pass_time(4 * MINUTE)
    assert len(shop.behind) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "bookshop has no policy any more" in shop.newest.outcome
    assert_unfenced(shop)
