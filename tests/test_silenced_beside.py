"""An application that does by itself what a repair is about to do: its own events are its own."""

from __future__ import annotations

from msgspec.structs import replace

from shared.errors import Ambiguous
from shared.upheld import Status
from tests import taken_out
from tests.fakes.hooks import no_hook
from tests.silent import (
    SILENT,
    SilentShop,
    expect_the_applications_own,
    meanwhile,
    repaired,
)
from tests.spoilt import ERASURE, GOOD

PAID = {"customer": "bob", "status": "paid", "amount": 1}


def test_a_document_that_the_application_mends_itself() -> None:
    """Right before the write, to the very value: it is told of that, and no undo takes it back."""
    shop = SilentShop()
    meanwhile(shop, lambda: shop.work({"orders/1": GOOD["orders/1"]}), "before")
    repaired(shop)

    assert shop.data == GOOD
    assert shop.written() == {"customers/ada"}
    expect_the_applications_own(shop)


def test_a_document_that_the_application_removes_itself() -> None:
    """Right before it would be removed."""
    shop = SilentShop(spoilt={"orders/9": PAID})
    meanwhile(shop, lambda: shop.work({"orders/9": None}), "before")
    shop.order(select="collection:orders", restore_point="17m")
    shop.parked()
    shop.approve("bob")
    shop.comes_to(Status.DOWN)

    assert shop.data == {**GOOD, "orders/9": None}
    assert shop.written() == set()
    expect_the_applications_own(shop)


def test_somebody_erased_whom_the_application_removes_itself() -> None:
    """It hears that they are gone; not that they were written back."""
    shop = SilentShop(replace(SILENT, erasure=ERASURE), spoilt=taken_out.SPOILT)

    def erase(_: object) -> None:
        shop.work({"customers/ada": None})
        taken_out.erase(shop)

    taken_out.repaired(erase, shop=shop)
    shop.comes_to(Status.DOWN)

    assert shop.data == taken_out.WITHOUT_ADA
    assert sum(one.taken_out for one in taken_out.journal(shop)) == 2
    expect_the_applications_own(shop)


def test_a_removal_of_somebody_erased_whose_answer_is_lost() -> None:
    """It is gone when it is looked at again, and by what was on record before it was ours."""
    shop = SilentShop(replace(SILENT, erasure=ERASURE), spoilt=taken_out.SPOILT)

    def lost(verb: str, side: str) -> None:
        removed = "customers/ada" in shop.ports.rewritten.written[len(taken_out.SPOILT) :]
        if (verb, side) == ("rewrites.rewrite", "after") and removed:
            shop.ports.rewritten.hook = no_hook
            raise Ambiguous("no answer")

    taken_out.repaired(taken_out.erase, shop=shop, hook=lost)
    shop.comes_to(Status.DOWN)

    assert shop.ports.rewritten.hook == no_hook
    assert shop.data == taken_out.WITHOUT_ADA
    expect_the_applications_own(shop)


def test_somebody_erased_whom_the_application_removes_right_before_us() -> None:
    """After the look, and before our request: it hears of that."""
    shop = SilentShop(replace(SILENT, erasure=ERASURE), spoilt=taken_out.SPOILT)
    before: list[str] = []

    def removed(verb: str, side: str) -> None:
        written = len(shop.ports.rewritten.written)
        if (verb, side) == ("rewrites.rewrite", "before") and written == len(taken_out.SPOILT):
            before.append(verb)
            if len(before) == 1:
                shop.work({"customers/ada": None})

    taken_out.repaired(taken_out.erase, shop=shop, hook=removed)
    shop.comes_to(Status.DOWN)

    assert before
    assert shop.data == taken_out.WITHOUT_ADA
    expect_the_applications_own(shop)


def test_a_write_that_lands_right_before_it_is_sent_again() -> None:
    """Its answer was lost, and it was not there at the look: it was us."""
    shop = SilentShop()
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
    expect_the_applications_own(shop)
