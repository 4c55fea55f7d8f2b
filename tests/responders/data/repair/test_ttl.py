"""Repairs of a database whose documents expire, by policies of its own or of ours."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.rollback.decision.data_requests import PREPARATION_TIMEOUT
from shared.core.errors import Rejected, RollbackError, Unavailable
from shared.domain.data.ttl import TtlField
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.reader import StateReader
from tests.support.data.corrupted_bookshop import GOOD, HERE, MINUTE, SHOP, SPOILT, CorruptedShop, order_undo
from tests.support.fakes.runtime.hooks import no_hook, raise_error

READ = "indexes.expiries"
UNKNOWN = "by what documents of (default) expire is not known: no answer"
DAY = timedelta(days=1)


def perishable(spoilt: dict[str, dict[str, Any] | None] | None = None) -> CorruptedShop:
    """Customers go by a field that no policy of ours declares."""
    shop = CorruptedShop(spoilt=spoilt)
    shop.ports.beside.expiring[HERE] = [TtlField("customers", ("until",))]
    return shop


def declared(spoilt: dict[str, dict[str, Any] | None]) -> CorruptedShop:
    """Our policy says so, and no other."""
    customers = replace(SHOP.collections["customers"], expires="until")
    collections = {**SHOP.collections, "customers": customers}
    return CorruptedShop(replace(SHOP, collections=collections), spoilt=spoilt)


def test_what_the_database_let_expire_is_told_and_stays_gone() -> None:
    """People read it beforehand; what has time left is made again."""
    shop = perishable({})
    now = shop.now
    over = {"email": "o@example.com", "until": now + MINUTE}
    ahead = {"email": "a@example.com", "until": now + DAY}
    shop.write({"customers/over": over, "customers/ahead": ahead})
    shop.advance_clock(3 * MINUTE)
    shop.write({"customers/over": None, "customers/ahead": None})
    shop.advance_clock(10 * MINUTE)
    shop.order(select="collection:customers", restore_point="12m")
    question = shop.run_until_parked().question
    assert question is not None
    assert "expired, and left: customers/over" in question.plan.reported

    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert shop.written() == {"customers/ahead"}
    found = shop.ports.kept.get(HERE, ["customers/over"], None)
    assert found == {"customers/over": None}


@pytest.mark.parametrize("error", [Unavailable("no answer"), Rejected("no answer")])
def test_nothing_is_asked_while_nobody_knows_what_has_expired(error: RollbackError) -> None:
    """Not known is not none, and why it waits is told; once it is known people are asked."""
    shop = perishable()
    shop.ports.beside.hook = raise_error(READ, error)
    shop.order()
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.DECIDING
    assert UNKNOWN in str(StateReader(shop.store).audit_entries(shop.newest.id))

    shop.ports.beside.hook = no_hook
    shop.run_until_parked()


def test_what_has_expired_that_nobody_can_tell() -> None:
    """It is asked for until the time to decide is over, and said to be why nothing was moved."""
    shop = perishable()
    shop.ports.beside.hook = raise_error(READ, Rejected("no answer"))
    shop.order()
    shop.pass_time(PREPARATION_TIMEOUT + 10 * MINUTE)

    assert (shop.newest.status, shop.newest.outcome) == (RollbackStatus.NOT_TAKEN, UNKNOWN)
    assert shop.data == {**GOOD, **SPOILT}


def test_nothing_is_written_once_nobody_knows_what_has_expired() -> None:
    """Though people have agreed, and it has begun: it ends in its time, and its steps say why."""
    shop = perishable()
    shop.order_until_parked()

    def unread(verb: str, side: str) -> None:
        if verb == READ and shop.newest.status is RollbackStatus.RUNNING:
            raise Unavailable("no answer")

    shop.ports.beside.hook = unread
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    notes = [step.note for step in shop.steps(shop.newest.id).values()]
    assert any(UNKNOWN in note for note in notes), notes
    assert shop.data == {**GOOD, **SPOILT}
    assert shop.find_violated_invariants() == []


def test_what_expires_once_people_are_asked_is_not_brought_back() -> None:
    """What counts is the moment at which it would be written."""
    made = {"email": "e@example.com", "until": CorruptedShop().ports.clock.now() + 20 * MINUTE}
    shop = perishable({})
    shop.write({"customers/new": made})
    shop.advance_clock(3 * MINUTE)
    shop.write({"customers/new": {"until": made["until"]}})
    shop.advance_clock(3 * MINUTE)
    shop.order_until_parked(restore_point="5m")
    shop.advance_clock(20 * MINUTE)
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.written() == set()
    assert "1 expired, and left" in str(StateReader(shop.store).audit_entries(shop.newest.id))


@pytest.mark.parametrize("shop_with", [perishable, declared])
def test_an_undo_does_not_make_again_what_has_expired_since(
    shop_with: Callable[[dict[str, dict[str, Any] | None]], CorruptedShop],
) -> None:
    """Removed as it was made since, and over now, by a policy of the database or of ours."""
    until = CorruptedShop().ports.clock.now() + 40 * MINUTE
    made = {"email": "e@example.com", "until": until}
    kept = {**made, "until": until + DAY}
    shop = shop_with({**SPOILT, "customers/new": made, "customers/newer": kept})
    shop.order_until_parked(restore_point="16m", select="collection:customers")
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.data["customers/new"] is None
    shop.advance_clock(30 * MINUTE)
    order_undo(shop)

    assert shop.newest.status is RollbackStatus.SUCCEEDED
    assert (shop.data["customers/new"], shop.data["customers/newer"]) == (None, kept)
    assert "1 expired, and left" in shop.newest.outcome


def test_an_undo_that_cannot_tell_what_has_expired_puts_nothing_back() -> None:
    """It is tried again until its time is over, and the repair stays as it is."""
    shop = perishable()
    shop.order_until_parked()
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD
    shop.ports.beside.hook = raise_error(READ, Unavailable("no answer"))
    order_undo(shop)
    shop.pass_time(10 * MINUTE)

    assert shop.newest.status is RollbackStatus.FAILED
    notes = [step.note for step in shop.steps(shop.newest.id).values()]
    assert any(UNKNOWN in note for note in notes), notes
    assert shop.data == GOOD
