"""An application that does by itself what a repair is about to do: that is not taken for ours."""

from shared.core.errors import Ambiguous
from tests.support.data.corrupted_bookshop import GOOD, MINUTE, CorruptedShop, order_undo
from tests.support.fakes.runtime.hooks import run_once

PAID = {"customer": "bob", "status": "paid", "amount": 1}


def repaired(shop: CorruptedShop) -> None:
    """Two people want its documents back, and they are written."""
    shop.order_until_parked()
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)


def test_a_document_that_the_application_mends_itself() -> None:
    """Right before the write, to the very value: no undo takes that back."""
    shop = CorruptedShop()
    mends = run_once("rewrites.rewrite", "before", lambda: shop.write({"orders/1": GOOD["orders/1"]}))
    shop.ports.rewritten.hook = mends
    repaired(shop)
    assert shop.data == GOOD
    assert shop.written() == {"customers/ada"}

    order_undo(shop)
    assert shop.data == {**GOOD, "customers/ada": {"name": "Ada"}}


def test_a_document_that_the_application_removes_itself() -> None:
    """Right before it would be removed."""
    shop = CorruptedShop(spoilt={"orders/9": PAID})
    shop.ports.rewritten.hook = run_once("rewrites.rewrite", "before", lambda: shop.write({"orders/9": None}))
    shop.order_until_parked(select="collection:orders", restore_point="17m")
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert shop.data == {**GOOD, "orders/9": None}
    assert shop.written() == set()


def test_a_write_that_lands_right_before_it_is_sent_again() -> None:
    """Its answer was lost, and it was not there at the look: it was us."""
    shop = CorruptedShop()
    sent: list[str] = []

    def late(verb: str, side: str) -> None:
        if (verb, side) == ("rewrites.rewrite", "before"):
            sent.append(verb)
            if len(sent) == 1:
                raise Ambiguous("no answer")
            if len(sent) == 3:
                shop.write({"customers/ada": GOOD["customers/ada"]})

    shop.ports.rewritten.hook = late
    repaired(shop)

    assert shop.data == GOOD
    assert shop.ports.rewritten.written == ["orders/1"]
    assert shop.written() == {"customers/ada", "orders/1"}
