"""A repair whose fence does not stand, or falls before its time: nothing more is written."""

from __future__ import annotations

import pytest

from shared.core.store import Update
from shared.domain.commands import command as commands
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.corrupted_bookshop import GOOD, MINUTE, SPOILT
from tests.support.data.repair_behind_fence import FencedShop, expect_as_before, frozen, undeclared
from tests.support.data.write_fence import BEFORE, fence_of, scalings, windows, without_policy


def test_a_fence_that_nobody_raises_ends_it() -> None:
    """Whoever was to raise it never does."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    shop.ports.store.commit(
        [Update(commands.command_path(fence_of(shop).command), {"due_at": None})]
    )
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.FAILED
    assert "the fence does not stand" in shop.newest.outcome


def test_a_fence_that_does_not_stand_ends_it() -> None:
    """No document is written, and that is told with the reason."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    shop.pass_time(12 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "no document was written: the fence has fallen" in shop.newest.outcome
    assert "still writes" in shop.newest.outcome
    assert shop.behind == []
    assert shop.data == {**GOOD, **SPOILT}
    expect_as_before(shop)


def test_a_fence_that_falls_ends_it_halfway() -> None:
    """What is written stays, nothing more is, and what was not is told."""
    shop = FencedShop()
    shop.asked()
    shop.after_a_batch(shop.lifted)
    shop.approve("bob")
    shop.pass_time(8 * MINUTE)

    assert len(shop.behind) == 1
    assert len(shop.written()) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "nothing more is written: the fence has fallen: lifted by carol" in shop.newest.outcome
    expect_as_before(shop)


def test_a_fence_that_falls_between_two_requests_of_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the first one has written is on record, and so told."""
    monkeypatch.setattr("responders.data.repair.journalled_writes.REWRITE_BYTES", 1)
    shop = FencedShop(spoilt={"customers/ada": {"name": "Ada"}, "customers/bob": {"name": "Bob"}})
    shop.asked()
    shop.after_a_batch(shop.lifted)
    shop.approve("bob")
    shop.pass_time(4 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert shop.ports.rewritten.written == ["customers/ada"]
    assert shop.written() == {"customers/ada"}


def test_another_fence_is_not_the_one_that_it_was_begun_behind() -> None:
    """Between both the application has written."""
    shop = FencedShop()
    shop.asked()

    def replaced() -> None:
        later = {"began_at": shop.ports.clock.now()}
        shop.ports.store.commit([Update("fences/bookshop", later)])

    shop.after_a_batch(replaced)
    shop.approve("bob")
    shop.pass_time(6 * MINUTE)
    assert "another one stands" in shop.newest.outcome
    assert len(shop.behind) == 1


def test_cancelled_while_it_is_waited_for() -> None:
    """It falls, whatever has become of its rollback."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    shop.command("alice", command="cancel", system="bookshop", incident=shop.newest.incident)
    shop.settle()
    assert shop.newest.status is RollbackStatus.CANCELLED
    shop.pass_time(8 * MINUTE)

    assert shop.behind == []
    assert fence_of(shop).why == f"{shop.newest.id} writes nothing more"
    expect_as_before(shop)


def test_frozen_before_it_stands() -> None:
    """Nothing is stopped for a repair that may not begin."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    frozen(shop)
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "a person has stopped automation" in shop.newest.outcome
    assert shop.behind == []
    assert scalings(shop) == BEFORE
    assert windows(shop) == 1


def test_paused_before_it_stands() -> None:
    """The kill switch lets it fall, and the repair ends with that."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    shop.command("carol", command="pause", system="bookshop")
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    assert "a person has stopped automation" in shop.newest.outcome
    expect_as_before(shop)


def test_a_policy_that_declares_none_any_more_ends_what_waits_for_it() -> None:
    """What was agreed to was a repair behind a fence."""
    shop = FencedShop()
    shop.asked()
    shop.raised()
    undeclared(shop)
    shop.pass_time(8 * MINUTE)

    assert shop.behind == []
    assert shop.newest.status is RollbackStatus.FAILED
    assert shop.newest.outcome.startswith("no document was written: ")
    assert fence_of(shop).why == "the policy declares no fence any more"
    expect_as_before(shop)


def test_a_policy_that_declares_none_any_more_ends_it_halfway() -> None:
    """The fence falls with it, and nothing more is written without."""
    shop = FencedShop()
    shop.asked()
    shop.after_a_batch(shop.paused)
    shop.approve("bob")
    shop.pass_time(MINUTE)
    undeclared(shop)
    shop.pass_time(MINUTE)
    shop.command("carol", command="resume")
    shop.pass_time(8 * MINUTE)

    assert len(shop.behind) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "the policy declares no fence any more" in shop.newest.outcome
    expect_as_before(shop)


def test_a_policy_that_is_removed_while_documents_are_written_behind_its_fence() -> None:
    """The fence falls by itself; once the policy is back, nothing more is written without one."""
    shop = FencedShop()
    shop.asked()
    shop.after_a_batch(shop.paused)
    shop.approve("bob")
    shop.pass_time(MINUTE)
    known, system = shop.policy, shop.ports.system
    without_policy(shop)
    shop.pass_time(8 * MINUTE)
    expect_as_before(shop)

    shop.policy, shop.ports.system = known, system  # type: ignore[method-assign]  # it is back
    shop.start_instances()
    shop.command("carol", command="resume")
    shop.pass_time(4 * MINUTE)
    assert len(shop.behind) == 1
    assert shop.newest.status is RollbackStatus.FAILED
    assert "bookshop has no policy any more" in shop.newest.outcome
    expect_as_before(shop)
