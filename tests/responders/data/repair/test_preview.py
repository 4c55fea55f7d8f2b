"""What a repair, or its undo, would start beside functions: named, refused, or not known."""

import itertools
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from responders.rollback.decision.data_requests import PREPARATION_TIMEOUT
from shared.core.errors import Rejected
from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.reader import StateReader
from tests.support.cli.browser import Browser
from tests.support.cli.browser import visible_text as read
from tests.support.cli.in_process import WorldPrompt
from tests.support.data.corrupted_bookshop import (
    GOOD,
    HERE,
    MINUTE,
    SHOP,
    SPOILT,
    CorruptedShop,
    build_document_trigger,
    build_repaired_shop,
)
from tests.support.decision.outages import set_failure_rate
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.runtime.switches import notice_lines
from tests.support.runtime.world import CHECKED

REFUSING = replace(SHOP, collections=CHECKED.collections)
UNKNOWN = "which triggers of Eventarc hear of the documents is not known: "
DENIED = "PERMISSION_DENIED: eventarc.triggers.list"
PAID = {"customer": "ada", "status": "paid", "amount": 3}
EVENT = "google.cloud.firestore.document.v1."
PARENT = "projects/demo/locations/eur3/triggers"


def hearing(name: str, starts: str, document: str) -> EventarcTrigger:
    """A trigger on documents of the shop's own database."""
    event = "google.cloud.firestore.document.v1.updated.withAuthContext"
    by = {"type": event, "database": HERE, "document": document}
    return EventarcTrigger(f"{PARENT}/{name}", starts, by)


BILL = hearing("bill-order", "workflow bill", "orders/{order}")
MAIL = hearing("mail-customer", "service mailer", "customers/{customer}")
BOOKS = hearing("index-book", "endpoint search.example", "books/{book}")
TOLD = (
    "workflow bill (trigger bill-order): about 1 invocation, by writes to orders",
    "service mailer (trigger mail-customer): about 1 invocation, by writes to customers",
)


def unread(shop: CorruptedShop) -> None:
    """Nobody tells of triggers."""
    shop.ports.beside.hook = raise_error("triggers.every", Rejected(DENIED))


def unreachable(shop: CorruptedShop) -> None:
    """One location does not."""
    shop.ports.beside.unreachable = ["us-east1"]


def readable(shop: CorruptedShop) -> None:
    """All tell again."""
    shop.ports.beside.hook = no_hook
    shop.ports.beside.unreachable = []


def test_what_a_repair_starts_beside_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named in the question, by kind and name, beside the functions; and no other."""
    shop = CorruptedShop()
    shop.ports.beside.hearing = [BILL, MAIL, BOOKS]
    functions = {**shop.platform.functions(), "sendReceipt": build_document_trigger("orders/{id}")}
    monkeypatch.setattr(shop.platform, "functions", lambda: functions)
    shop.order()

    question = shop.run_until_parked().question
    assert question is not None
    started = {one for one in question.plan.reported if "invocation" in one}
    assert started == {*TOLD, "sendReceipt: about 1 invocation, by writes to orders"}
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD


@pytest.mark.parametrize(("heard", "told"), [(BILL, TOLD[0]), (MAIL, TOLD[1])])
def test_a_policy_that_lets_a_repair_start_nothing(heard: EventarcTrigger, told: str) -> None:
    """No document is written, and it is said because of what."""
    shop = CorruptedShop(REFUSING)
    shop.ports.beside.hearing = [heard]
    shop.order()
    shop.pass_time(8 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert told in shop.newest.outcome
    assert shop.data == {**GOOD, **SPOILT}


def test_an_override_starts_nothing_that_the_policy_refuses() -> None:
    """It skips a freeze and the question, and no more."""
    shop = CorruptedShop(REFUSING)
    shop.ports.beside.hearing = [BILL]
    set_failure_rate(shop, 0.9)  # a second source: the alert goes to a person at once
    shop.alert()
    shop.settle()
    shop.order(override=True, incident=shop.newest_incident.id)
    shop.pass_time(20 * MINUTE)

    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "workflow bill (trigger bill-order)" in shop.newest.outcome
    assert shop.data == {**GOOD, **SPOILT}


def test_a_trigger_on_what_is_not_written() -> None:
    """It is started by nothing, and refused for nothing."""
    shop = CorruptedShop(REFUSING)
    shop.ports.beside.hearing = [BOOKS]
    shop.order()
    question = shop.run_until_parked().question
    assert question is not None
    assert "invocation" not in str(question.plan.reported)


def test_a_trigger_that_is_made_after_the_question() -> None:
    """Nobody has agreed to what it starts: people are asked again, with its name."""
    shop = CorruptedShop()
    shop.order_until_parked()
    shop.ports.beside.hearing = [BILL]
    shop.approve("bob")
    shop.pass_time(2 * MINUTE)

    question = shop.newest.question
    assert shop.newest.status is RollbackStatus.PARKED
    assert question is not None
    assert TOLD[0] in question.plan.reported
    assert shop.data == {**GOOD, **SPOILT}


@pytest.mark.parametrize(("silence", "why"), [(unread, DENIED), (unreachable, "us-east1")])
@pytest.mark.parametrize("policy", [SHOP, REFUSING], ids=["fire", "refuse"])
def test_triggers_that_cannot_be_read(
    silence: Callable[[CorruptedShop], None], why: str, policy: Policy
) -> None:
    """Nothing is asked, and nothing written, until they are; whatever the policy lets start."""
    shop = CorruptedShop(policy)
    silence(shop)
    shop.order()
    shop.pass_time(8 * MINUTE)
    assert shop.newest.status is RollbackStatus.DECIDING
    assert re.search(f"{UNKNOWN}.*{why}", str(StateReader(shop.store).audit_entries(shop.newest.id)))

    readable(shop)
    shop.run_until_parked()


def test_triggers_that_nobody_could_read_in_time() -> None:
    """The order is let go, and it is said why nothing was written."""
    shop = CorruptedShop()
    unread(shop)
    shop.order()
    shop.pass_time(PREPARATION_TIMEOUT + 10 * MINUTE)

    assert (shop.newest.status, shop.newest.outcome) == (RollbackStatus.NOT_TAKEN, f"{UNKNOWN}{DENIED}")
    assert shop.data == {**GOOD, **SPOILT}


def test_triggers_that_cannot_be_read_once_people_have_agreed() -> None:
    """Nothing is written before they can."""
    shop = CorruptedShop()
    shop.order_until_parked()
    unreachable(shop)
    shop.approve("bob")
    shop.pass_time(2 * MINUTE)
    assert shop.data == {**GOOD, **SPOILT}

    readable(shop)
    shop.pass_time(10 * MINUTE)
    assert shop.data == GOOD


def test_a_dry_run_names_what_it_would_start() -> None:
    """Or says that nobody knows."""
    shop = CorruptedShop()
    shop.ports.beside.hearing = [BILL]
    shop.order(dry_run=True, id="told")
    shop.pass_time(MINUTE)
    unread(shop)
    shop.order(dry_run=True, id="unknown")
    shop.pass_time(MINUTE)

    told, unknown = notice_lines(shop, "rehearsed")
    assert TOLD[0] in told
    assert "ask: " in told
    assert f"hold: {UNKNOWN}" in unknown


@pytest.mark.parametrize("may_start", [True, False])
def test_what_an_undo_starts_beside_functions(may_start: bool) -> None:
    """As with the repair itself: it is named, or nothing is put back."""
    shop = build_repaired_shop(SHOP if may_start else REFUSING)
    shop.ports.beside.hearing = [BILL]
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.pass_time(2 * MINUTE)

    if may_start:
        question = shop.newest.question
        assert question is not None
        assert TOLD[0] in question.plan.reported
    else:
        assert shop.newest.status is RollbackStatus.NOT_TAKEN
        assert TOLD[0] in shop.newest.outcome
    assert shop.data == GOOD


AMOUNTS: dict[str, dict[str, Any] | None] = {
    f"orders/{n}": {"customer": "bob", "status": "paid", "amount": n} for n in range(12)
}
MANY = [hearing(f"bill-{n:02}", f"workflow bill{n:02}", "orders/{order}") for n in range(12)]
LISTED = [
    f"workflow bill{n:02} (trigger bill-{n:02}): about 12 invocations, by writes to orders" for n in range(12)
]


def charged(policy: Policy = SHOP) -> CorruptedShop:
    """Twelve orders are spoilt, and twelve workflows hear of each."""
    shop = CorruptedShop(policy, spoilt={})
    shop.write(AMOUNTS)
    shop.advance_clock(3 * MINUTE)
    shop.write({path: {"customer": "bob", "status": "paid"} for path in AMOUNTS})
    shop.advance_clock(15 * MINUTE)
    shop.ports.beside.hearing = [*MANY]
    return shop


def test_all_of_the_list_is_shown_before_anybody_approves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By both dry runs, the question and its notice, `explain`, and the console twice."""
    shop = charged()
    prompt, browser = WorldPrompt(monkeypatch, tmp_path, shop), Browser(shop)
    words = ["run", "--scenario", "database", "--restore-point", "16m", "--reason", "spoilt", "--dry-run"]
    said = {"restore_point": "16m"}

    here = [prompt.say(*words).stdout, prompt.say(*words, "--json").stdout]
    shop.order(dry_run=True, id="told", **said)
    shop.pass_time(MINUTE)
    shop.order(**said)
    question = shop.run_until_parked().question
    assert question is not None
    incident = shop.newest.incident
    browser.sign_in()
    approve = f"/say?command=approve&incident={incident}&back=/"
    pages = [browser.get(f"/incidents/{incident}"), browser.get(approve)]

    notices = [notice_lines(shop, "rehearsed"), notice_lines(shop, "rollback.parked")]
    assert all(notices)
    shown = [
        *here,
        *itertools.chain.from_iterable(notices),
        str(question.plan.reported),
        prompt.say("explain", incident).stdout,
        *map(read, pages),
    ]
    for number, one in enumerate(shown):
        assert [line for line in LISTED if line not in " ".join(one.split())] == [], number


def test_a_refusal_lists_all_of_it_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason names the first few; what would be started is told whole."""
    shop = charged(REFUSING)
    prompt = WorldPrompt(monkeypatch, tmp_path, shop)
    shop.order(restore_point="16m")
    shop.pass_time(8 * MINUTE)

    shown = prompt.say("explain", shop.newest.incident).stdout
    assert shop.newest.status is RollbackStatus.NOT_TAKEN
    assert "and 7 more" in shop.newest.outcome
    assert [line for line in LISTED if line not in shown] == []


def test_what_is_started_by_each_kind_of_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A document that is made again is created; its undo deletes it, and the reverse."""
    shop = CorruptedShop(spoilt={"orders/1": None, "orders/2": {**PAID}, "orders/3": {**PAID}})
    types = ("created", "updated", "deleted", "written")
    shop.ports.beside.hearing = [
        EventarcTrigger(f"{PARENT}/{kind}", "workflow w", {**BILL.filters, "type": f"{EVENT}{kind}"})
        for kind in types
    ]
    shop.order(select="collection:orders", restore_point="17m")
    question = shop.run_until_parked().question
    assert question is not None
    assert invocations(question.plan.reported) == {"created": 1, "updated": 0, "deleted": 2, "written": 3}
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)
    prompt = WorldPrompt(monkeypatch, tmp_path, shop)
    incident = shop.newest.incident
    tried = prompt.say("undo", incident, "--reason", "no", "--dry-run", "--json")
    assert invocations(json.loads(tried.stdout)["documents"]) == {
        "created": 2,
        "updated": 0,
        "deleted": 1,
        "written": 3,
    }


def invocations(lines: Iterable[str]) -> dict[str, int]:
    """How many are listed for each of these triggers."""
    found = (re.fullmatch(r"workflow w \(trigger (\w+)\): about (\d+) .*", one) for one in lines)
    return {one[1]: int(one[2]) for one in found if one is not None}


@pytest.mark.parametrize("silence", [unread, unreachable])
def test_an_undo_while_triggers_cannot_be_read(silence: Callable[[CorruptedShop], None]) -> None:
    """It waits until they are."""
    shop = build_repaired_shop()
    silence(shop)
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.pass_time(2 * MINUTE)
    assert shop.newest.status is RollbackStatus.DECIDING
    assert UNKNOWN in str(StateReader(shop.store).audit_entries(shop.newest.id))
    assert shop.data == GOOD

    readable(shop)
    shop.run_until_parked(2)
