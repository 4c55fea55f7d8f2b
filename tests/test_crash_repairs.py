"""A fault at each write into the data, copy before it and commit of a repair, and of its undo."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest

from shared import topics
from shared.rollback import Status
from tests.crash import Fault, Saboteur, deliver_all
from tests.test_repairing import GOOD, SHOP, SPOILT, Shop

EFFECTS = ("quarantine.keep", "rewrites.rewrite")
EVERYTHING = (*EFFECTS, "store.commit")
LATER = {"customers/bob": {"email": "later@example.com"}}
"""What the application writes after people were asked."""


def run(saboteur: Saboteur) -> Shop:
    """Asked about undisturbed; from the second word on something goes wrong."""
    shop = Shop(SHOP, saboteur)
    saboteur.world = shop
    shop.order()
    shop.parked()
    shop.write(dict(LATER))
    carried(shop, saboteur, "bob", "approve")
    return shop


def carried(shop: Shop, saboteur: Saboteur, actor: str, verb: str) -> None:
    """What a person says is carried out, with one fault in it."""
    saboteur.active = True
    shop.command(actor, command=verb, system="bookshop", incident=shop.newest.incident)
    for _ in range(24):
        deliver_all(shop, saboteur, duplicated=False, reversed_order=False)
        shop.publish(topics.CLOCK, b"{}")
        shop.ports.clock.advance(timedelta(seconds=30))
    saboteur.active = False


def expect_repaired(shop: Shop) -> None:
    """Each document is written once, and named; the application's own are as it wants them."""
    assert shop.data == {**GOOD, **LATER}
    assert sorted(shop.ports.rewritten.written) == sorted(SPOILT)
    assert shop.written() == set(SPOILT)
    assert shop.newest.status is Status.SUCCEEDED
    assert shop.broken_laws() == []


@cache
def undisturbed(counted: tuple[str, ...]) -> tuple[str, ...]:
    saboteur = Saboteur(counted=counted)
    expect_repaired(run(saboteur))
    return tuple(saboteur.points)


def effects() -> list[tuple[int, Fault]]:
    """Before and after each copy and each write."""
    return [(point, fault) for point in range(len(undisturbed(EFFECTS))) for fault in Fault]


@pytest.mark.parametrize(("point", "fault"), effects())
def test_a_fault_at_a_write(point: int, fault: Fault) -> None:
    """Whoever dies, hears nothing or stands still there: what is valid stays, all else is back."""
    saboteur = Saboteur(point, fault, EFFECTS)
    shop = run(saboteur)

    assert saboteur.happened
    expect_repaired(shop)


def commits() -> list[int]:
    """After each commit, up to the one that follows the last write."""
    points = undisturbed(EVERYTHING)
    last = max(number for number, point in enumerate(points) if "store" not in point)
    return [n for n in range(last + 5) if points[n] == "after store.commit"]


@pytest.mark.parametrize("point", commits())
def test_a_crash_after_a_commit(point: int) -> None:
    """Whichever commit it dies at, the next worker goes on where that one was."""
    expect_repaired(run(Saboteur(point, Fault.CRASH, EVERYTHING)))


def undone(saboteur: Saboteur) -> Shop:
    """A repair that went well, taken back."""
    shop = run(Saboteur())
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.parked(2)
    shop.ports.rewritten.written.clear()
    for fake in (shop.ports.rewritten, shop.ports.quarantine, shop.ports.store):
        fake.hook = saboteur
    saboteur.world = shop
    carried(shop, saboteur, "bob", "approve")
    return shop


def expect_undone(shop: Shop) -> None:
    """Everything is as the repair has found it; each document is written once."""
    assert shop.data == {**GOOD, **SPOILT, **LATER}
    assert sorted(shop.ports.rewritten.written) == sorted(SPOILT)
    assert shop.newest.status is Status.SUCCEEDED
    assert shop.broken_laws() == []


@cache
def undisturbed_undo() -> int:
    saboteur = Saboteur(counted=EFFECTS)
    expect_undone(undone(saboteur))
    return len(saboteur.points)


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.LOST_ANSWER])
@pytest.mark.parametrize("point", range(undisturbed_undo()))
def test_a_fault_at_a_write_of_the_undo(point: int, fault: Fault) -> None:
    """It is taken back all the same, and once."""
    saboteur = Saboteur(point, fault, EFFECTS)
    shop = undone(saboteur)

    assert saboteur.happened
    expect_undone(shop)
