"""What is made from documents is asked for again, once these were written."""

import pytest

from shared.core.errors import Rejected, Unavailable
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.corrupted_bookshop import (
    DERIVED,
    MINUTE,
    CorruptedShop,
    build_repaired_shop,
    order_undo,
    requested_regenerations,
)


def test_what_is_made_from_them_is_asked_for_again() -> None:
    """The application hears on the declared topic of just the documents that were written."""
    shop = build_repaired_shop(DERIVED)
    every = [["customers/ada"], ["orders/1"]]
    assert sorted(requested_regenerations(shop)) == every
    assert {one.topic for one in shop.ports.theirs.messages} == {"make-again"}
    order_undo(shop)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert sorted(requested_regenerations(shop)) == sorted(every + every)


@pytest.mark.parametrize("ends", ["failed", "cancelled"])
def test_what_was_made_from_part_of_them_is_asked_for_too(ends: str) -> None:
    """A repair that came to nothing half way has written documents all the same."""
    shop = CorruptedShop(DERIVED)
    shop.order_until_parked()

    def stops(verb: str, side: str) -> None:
        if side == "before" and len(shop.ports.rewritten.written) == 1:
            if ends == "failed":
                raise Rejected("no more")
            shop.send_command("cancel", "carol", incident=shop.newest.incident)
            shop.deliver_commands()
            raise Unavailable("not yet")

    shop.ports.rewritten.hook = stops
    shop.approve("bob")
    shop.pass_time(5 * MINUTE)

    assert shop.newest.status is RollbackStatus[ends.upper()], shop.newest.outcome
    assert shop.ports.rewritten.written == ["customers/ada"]
    assert requested_regenerations(shop) == [["customers/ada"]]
    assert shop.find_violated_invariants() == []
