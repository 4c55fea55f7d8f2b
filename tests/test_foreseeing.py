"""What a repair, or its undo, would start beside functions: named, refused, or not known."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from responders.weighing import PREPARE_WITHIN
from shared.errors import Rejected
from shared.policy import Policy
from shared.reading import Reading
from shared.rollback import Status
from shared.triggers import Trigger
from tests.fakes.hooks import no_hook, raising
from tests.spoilt import GOOD, HERE, MINUTE, SHOP, SPOILT, Shop, repaired, trigger
from tests.switching import text
from tests.world import CHECKED

REFUSING = replace(SHOP, collections=CHECKED.collections)
UNKNOWN = "which triggers of Eventarc hear of the documents is not known: "
DENIED = "PERMISSION_DENIED: eventarc.triggers.list"
PARENT = "projects/demo/locations/eur3/triggers"


def hearing(name: str, starts: str, document: str) -> Trigger:
    """A trigger on documents of the shop's own database."""
    event = "google.cloud.firestore.document.v1.updated.withAuthContext"
    by = {"type": event, "database": HERE, "document": document}
    return Trigger(f"{PARENT}/{name}", starts, by)


BILL = hearing("bill-order", "workflow bill", "orders/{order}")
MAIL = hearing("mail-customer", "service mailer", "customers/{customer}")
BOOKS = hearing("index-book", "endpoint search.example", "books/{book}")
TOLD = (
    "workflow bill (trigger bill-order) is started by each document of orders",
    "service mailer (trigger mail-customer) is started by each document of customers",
)


def unread(shop: Shop) -> None:
    """Nobody tells of triggers."""
    shop.ports.beside.hook = raising("triggers.every", Rejected(DENIED))


def unreachable(shop: Shop) -> None:
    """One location does not."""
    shop.ports.beside.unreachable = ["us-east1"]


def readable(shop: Shop) -> None:
    """All tell again."""
    shop.ports.beside.hook = no_hook
    shop.ports.beside.unreachable = []


def test_what_a_repair_starts_beside_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named in the question, by kind and name, beside the functions; and no other."""
    shop = Shop()
    shop.ports.beside.hearing = [BILL, MAIL, BOOKS]
    functions = {**shop.ports.world.functions(), "sendReceipt": trigger("orders/{id}")}
    monkeypatch.setattr(shop.ports.world, "functions", lambda: functions)
    shop.order()

    question = shop.parked().question
    assert question is not None
    started = {one for one in question.plan.reported if "is started by" in one}
    assert started == {*TOLD, "sendReceipt is started by each document of orders"}
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        (BILL, "workflow bill (trigger bill-order) is started by writes to orders"),
        (MAIL, "service mailer (trigger mail-customer) is started by writes to customers"),
    ],
)
def test_a_policy_that_lets_a_repair_start_nothing(heard: Trigger, told: str) -> None:
    """No document is written, and it is said because of what."""
    shop = Shop(REFUSING)
    shop.ports.beside.hearing = [heard]
    shop.order()
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is Status.NOT_TAKEN
    assert told in shop.newest.outcome
    assert shop.data == {**GOOD, **SPOILT}


def test_an_override_starts_nothing_that_the_policy_refuses() -> None:
    """It skips a freeze and the question, and no more."""
    shop = Shop(REFUSING)
    shop.ports.beside.hearing = [BILL]
    shop.alert()
    shop.settle()
    shop.order(override=True, incident=shop.incidents()[-1].id)
    shop.pass_time(20 * MINUTE)

    assert shop.newest.status is Status.NOT_TAKEN
    assert "workflow bill (trigger bill-order)" in shop.newest.outcome
    assert shop.data == {**GOOD, **SPOILT}


def test_a_trigger_on_what_is_not_written() -> None:
    """It is started by nothing, and refused for nothing."""
    shop = Shop(REFUSING)
    shop.ports.beside.hearing = [BOOKS]
    shop.order()
    question = shop.parked().question
    assert question is not None
    assert "is started by" not in str(question.plan.reported)


def test_a_trigger_that_is_made_after_the_question() -> None:
    """Nobody has agreed to what it starts: people are asked again, with its name."""
    shop = Shop()
    shop.order()
    shop.parked()
    shop.ports.beside.hearing = [BILL]
    shop.approve("bob")
    shop.pass_time(2 * MINUTE)

    question = shop.newest.question
    assert shop.newest.status is Status.PARKED
    assert question is not None
    assert TOLD[0] in question.plan.reported
    assert shop.data == {**GOOD, **SPOILT}


@pytest.mark.parametrize(("silence", "why"), [(unread, DENIED), (unreachable, "us-east1")])
@pytest.mark.parametrize("policy", [SHOP, REFUSING], ids=["fire", "refuse"])
def test_triggers_that_cannot_be_read(
    silence: Callable[[Shop], None], why: str, policy: Policy
) -> None:
    """Nothing is asked, and nothing written, until they are; whatever the policy lets start."""
    shop = Shop(policy)
    silence(shop)
    shop.order()
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is Status.DECIDING
    assert re.search(f"{UNKNOWN}.*{why}", str(Reading(shop.ports.store).trail(shop.newest.id)))

    readable(shop)
    shop.parked()


def test_triggers_that_nobody_could_read_in_time() -> None:
    """The order is let go, and it is said why nothing was written."""
    shop = Shop()
    unread(shop)
    shop.order()
    shop.pass_time(PREPARE_WITHIN + 10 * MINUTE)

    assert (shop.newest.status, shop.newest.outcome) == (Status.NOT_TAKEN, f"{UNKNOWN}{DENIED}")
    assert shop.data == {**GOOD, **SPOILT}


def test_triggers_that_cannot_be_read_once_people_have_agreed() -> None:
    """Nothing is written before they can."""
    shop = Shop()
    shop.order()
    shop.parked()
    unreachable(shop)
    shop.approve("bob")
    shop.pass_time(2 * MINUTE)
    assert shop.data == {**GOOD, **SPOILT}

    readable(shop)
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD


def test_a_dry_run_names_what_it_would_start() -> None:
    """Or says that nobody knows."""
    shop = Shop()
    shop.ports.beside.hearing = [BILL]
    shop.order(dry_run=True, id="told")
    shop.pass_time(MINUTE)
    unread(shop)
    shop.order(dry_run=True, id="unknown")
    shop.pass_time(MINUTE)

    told, unknown = text(shop, "rehearsed")
    assert TOLD[0] in told
    assert "ask: " in told
    assert f"hold: {UNKNOWN}" in unknown


@pytest.mark.parametrize("may_start", [True, False])
def test_what_an_undo_starts_beside_functions(may_start: bool) -> None:
    """As with the repair itself: it is named, or nothing is put back."""
    shop = repaired(SHOP if may_start else REFUSING)
    shop.ports.beside.hearing = [BILL]
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.pass_time(2 * MINUTE)

    if may_start:
        question = shop.newest.question
        assert question is not None
        assert TOLD[0] in question.plan.reported
    else:
        assert shop.newest.status is Status.NOT_TAKEN
        assert "is started by writes to orders" in shop.newest.outcome
    assert shop.data == GOOD


@pytest.mark.parametrize("silence", [unread, unreachable])
def test_an_undo_while_triggers_cannot_be_read(silence: Callable[[Shop], None]) -> None:
    """It waits until they are."""
    shop = repaired()
    silence(shop)
    shop.command("alice", command="undo", system="bookshop", incident=shop.newest.incident)
    shop.pass_time(2 * MINUTE)
    assert shop.newest.status is Status.DECIDING
    assert UNKNOWN in str(Reading(shop.ports.store).trail(shop.newest.id))
    assert shop.data == GOOD

    readable(shop)
    shop.parked(2)
