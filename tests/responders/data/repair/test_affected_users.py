"""The end of a repair, told to those whose documents it has written or left, and to nobody else."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.data.repair import affected_users
from shared.core.codec import decode, encode
from shared.core.errors import Rejected
from shared.core.store import Put
from shared.domain.data.document import DocumentSnapshot, Reference
from shared.domain.data.erasure.ledger import (
    Erasure,
    ErasureLedgerRecord,
    erasure_path,
    has_owner_field,
    hash_person,
    ledger_path,
    owners_by_field,
    owners_by_name,
)
from shared.domain.data.repair import quarantine
from shared.domain.data.repair.quarantine import JournalEntry, WrittenDocument
from shared.domain.deployments.inventory.inventory_parts import SourceObject
from shared.domain.notices.notice import Notice
from shared.domain.notices.push_progress import PushResult
from shared.domain.policy.data_rules import ErasureRules, Place
from shared.domain.policy.document_scope import Scope
from shared.domain.rollback.rollback import RollbackStatus
from shared.state.reader import PAGE_SIZE
from tests.support.data.affected_users import (
    PAID,
    build_mail_channel,
    build_shop_with_devices,
    pushed_messages,
    team_notices,
)
from tests.support.data.corrupted_bookshop import MINUTE, CorruptedShop
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.notices.notices import read_notices as kept

HALF = timedelta(seconds=30)


def repair(shop: CorruptedShop, select: str = "invalid") -> None:
    """It is ordered and approved, and has ended just now."""
    shop.order_until_parked(select=select, restore_point="17m")
    shop.approve("bob")
    for _ in range(40):
        if shop.newest.ended_at is not None:
            return
        shop.pass_time(HALF)
    raise AssertionError(shop.newest.status)


def told(shop: CorruptedShop, within: timedelta = 3 * MINUTE) -> Counter[str]:
    """How often each person's device was told by then."""
    shop.pass_time(within)
    return Counter(one.token.removeprefix("hush-") for one in pushed_messages(shop))


def test_those_whose_documents_came_back_are_told_once() -> None:
    """By the document's name, and by the field that names its owner; nobody else hears of it."""
    spoilt = {"customers/ada": {"name": "Ada"}, "orders/2": {"customer": "bob", "status": "paid"}}
    shop = build_shop_with_devices(spoilt, {"orders/2": PAID})
    repair(shop)

    assert told(shop) == {"ada": 1, "bob": 1}
    assert shop.newest.status is RollbackStatus.SUCCEEDED
    shop.pass_time(30 * MINUTE)
    assert told(shop) == {"ada": 1, "bob": 1}
    [words, _] = [one.sent.notice for one in pushed_messages(shop)]
    assert "affected your data" in words["subject"]
    assert "not finished" not in words["body"]
    assert team_notices(shop) == ""


def test_mail_to_those_concerned_waits_for_a_person() -> None:
    """Who agrees to mail gets one by the field of their own document; who does not gets none."""
    spoilt = {"customers/cleo": {"name": "Cleo"}, "orders/2": {"customer": "bob", "status": "paid"}}
    spoilt |= {"orders/3": {"customer": "ada", "status": "paid"}}
    before = {"orders/2": PAID, "orders/3": {**PAID, "customer": "ada"}}
    shop = build_shop_with_devices(spoilt, before, channel=build_mail_channel())
    repair(shop)
    shop.pass_time(3 * MINUTE)

    [waiting] = [decode(Notice, one) for name, one in kept(shop).items() if name.endswith(":concerned")]
    [question] = [str(one["text"]) for name, one in kept(shop).items() if ":message.asked." in name]
    assert "concerned waits for approval, for 2 recipients" in question
    assert "en: The Bookshop: a repair affected your data" in question
    about = {"system": waiting.system, "incident": waiting.incident, "plan": waiting.fingerprint}
    assert not [path for path in shop.ports.rewritten.written if path.startswith("outbox/")]
    shop.command(command="publish", **about)
    shop.pass_time(3 * MINUTE)

    mails = shop.ports.kept.matching("(default)", Scope("outbox"), {}, None, ["to"], 100)
    assert sorted(one.fields["to"][0] for one in mails) == ["ada@example.com", "cleo@example.com"]


def test_whose_document_was_removed_is_told() -> None:
    """It names its owner no more; what it was when the repair began does."""
    shop = build_shop_with_devices({"orders/2": PAID})
    repair(shop, "document:orders/2")

    assert shop.ports.kept.get("(default)", ["orders/2"], None) == {"orders/2": None}
    assert told(shop) == {"bob": 1}


def test_whose_document_stands_above_is_told() -> None:
    """Its line names nobody; the order that it stands below names its owner."""
    shop = build_shop_with_devices({"orders/2/lines/1": {"title": "Emma"}}, {"orders/2": PAID})
    repair(shop, "document:orders/2/lines/1")

    assert told(shop) == {"bob": 1}
    assert team_notices(shop) == ""


def test_whose_document_was_left_is_told() -> None:
    """It was to come back, and its owner has written it in that very moment."""
    shop = build_shop_with_devices({"customers/ada": {"name": "Ada"}})
    mine = {"email": "mine@example.com", "device": "hush-ada"}

    def write_first(verb: str, side: str) -> None:
        if side == "before":
            shop.write({"customers/ada": mine})

    shop.ports.rewritten.hook = write_first
    repair(shop)

    assert shop.data["customers/ada"] == mine
    assert shop.written() == set()
    assert told(shop) == {"ada": 1}


def test_whoever_was_erased_is_not_told() -> None:
    """Though the repair has written a document of theirs, and their own is still there."""
    spoilt = {"orders/2": {"customer": "bob", "status": "paid"}}
    shop = build_shop_with_devices(spoilt, {"orders/2": PAID})
    repair(shop)
    now, system = shop.now, shop.policy.system
    hashed = hash_person("salt", "bob")
    entry, book = Erasure(system, hashed, now, ()), ErasureLedgerRecord(system, "salt", now)
    path = erasure_path(system, hashed)
    ledger = [Put(ledger_path(system), encode(book)), Put(path, encode(entry))]
    shop.store.commit(ledger)

    assert told(shop) == {}


def test_more_people_than_the_channel_may_tell() -> None:
    """The first are told, and the team reads how many more there are."""
    spoilt = {f"customers/{name}": {"name": "x"} for name in ("ada", "bob", "cleo")}
    shop = build_shop_with_devices(spoilt, at_most=2)
    repair(shop)

    assert told(shop) == {"ada": 1, "bob": 1}
    assert "users beyond at_most, not told: 1" in team_notices(shop)


def test_a_failure_that_names_a_document_names_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """Google's text may repeat what was asked for."""
    shop = build_shop_with_devices({"customers/ada": {"name": "Ada"}})
    repair(shop)
    shop.ports.kept.hook = raise_error(
        "documents.get", Rejected("INVALID_ARGUMENT: customers/ada is no name")
    )
    capsys.readouterr()
    assert told(shop) == Counter()
    assert "cannot be read: INVALID_ARGUMENT" in team_notices(shop)
    kept_of_it = [one for name, one in kept(shop).items() if name.endswith(":concerned")]
    assert "customers/ada" not in f"{team_notices(shop)}{kept_of_it}{capsys.readouterr().err}"


def test_few_documents_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, each of them is looked at."""
    monkeypatch.setattr(affected_users, "DOCUMENTS_PER_BATCH", 1)
    spoilt = {f"orders/{number}": {"customer": "bob", "status": "paid"} for number in (1, 2)}
    shop = build_shop_with_devices(spoilt | {"customers/ada": {"name": "Ada"}}, dict.fromkeys(spoilt, PAID))
    repair(shop)
    asked: list[int] = []
    get = shop.ports.kept.get

    def counted(database: str, paths: Any, at: Any) -> Any:
        asked.append(len(paths))
        return get(database, paths, at)

    monkeypatch.setattr(shop.ports.kept, "get", counted)
    assert told(shop) == Counter({"ada": 1, "bob": 1})
    assert set(asked) == {1}


def test_a_document_of_nobody_known() -> None:
    """The team reads that somebody was not told."""
    shop = build_shop_with_devices({"orders/3": {"status": "open"}})
    repair(shop, "document:orders/3")

    assert told(shop) == {}
    assert "documents of nobody known: 1" in team_notices(shop)


def test_where_the_past_cannot_be_read_any_more() -> None:
    """What is there now says whose it is; each attempt goes by that alone."""
    spoilt = {"customers/ada": {"name": "Ada"}, "orders/2": PAID}
    shop = build_shop_with_devices(spoilt)
    repair(shop, "all")
    shop.ports.kept.hook = refusing_the_past()

    assert told(shop) == {"ada": 1}
    assert "documents of nobody known: 1" in team_notices(shop)


def test_what_was_before_is_read_in_each_attempt_or_in_none() -> None:
    """Whom it could not be known of at first, nobody's turn is moved for later."""
    shop = build_shop_with_devices({"customers/ada": {"name": "Ada"}, "orders/2": PAID})
    repair(shop, "all")
    shop.ports.kept.hook = refusing_the_past()
    shop.ports.sender.fates = {"hush-ada": PushResult.NONE}
    shop.pass_time(2 * MINUTE)

    shop.ports.kept.hook = no_hook
    shop.ports.sender.fates = {}

    assert told(shop) == {"ada": 1}


def test_what_was_before_and_cannot_be_read_in_a_later_attempt() -> None:
    """It is given up, and the team reads so: else somebody might be told twice, or not at all."""
    shop = build_shop_with_devices({"customers/ada": {"name": "Ada"}, "orders/2": PAID})
    repair(shop, "all")
    shop.ports.sender.fates = {"hush-bob": PushResult.NONE}
    shop.pass_time(3 * HALF)
    assert told(shop, timedelta(0)) == {"ada": 1}

    shop.ports.kept.hook = refusing_the_past()
    shop.ports.sender.fates = {}

    assert told(shop) == {"ada": 1}
    assert "not reached: 1" in team_notices(shop)
    assert "too long ago" in team_notices(shop)


def refusing_the_past() -> Any:
    """The second look at documents is refused: that at what was before."""
    looked: list[str] = []

    def refuse(verb: str, side: str) -> None:
        if (verb, side) == ("documents.get", "before"):
            looked.append(verb)
            if len(looked) == 2:
                raise Rejected("too long ago")

    return refuse


def test_a_repair_that_is_called_off_says_that_it_is_not_finished() -> None:
    """What it has written until then is somebody's, too."""
    many = {f"orders/{number:04}": PAID for number in range(900)}
    shop = build_shop_with_devices({path: {"customer": "bob", "status": "paid"} for path in many}, many)
    shop.ports.rewritten.hook = cancel_once(shop)
    repair(shop)

    assert shop.newest.status is RollbackStatus.CANCELLED
    assert told(shop) == {"bob": 1}
    [words] = [one.sent.notice for one in pushed_messages(shop)]
    assert "not finished" in words["body"]


def cancel_once(shop: CorruptedShop) -> Any:
    """A person cancels while the first batch is written."""
    said: list[str] = []

    def cancel(verb: str, side: str) -> None:
        if side == "after" and not said:
            said.append(verb)
            shop.send_command("cancel", "carol", incident=shop.newest.incident)
            shop.advance_clock(timedelta(seconds=9))
            shop.deliver_commands()

    return cancel


def test_an_undo_tells_them_again() -> None:
    """Their documents have been written once more."""
    shop = build_shop_with_devices({"customers/ada": {"name": "Ada", "device": "hush-ada"}})
    repair(shop)
    assert told(shop) == {"ada": 1}
    shop.send_command("undo", "alice", incident=shop.newest.incident)
    shop.run_until_parked(2)
    shop.approve("bob")
    shop.pass_time(10 * MINUTE)

    assert told(shop) == {"ada": 2}
    assert len({one.sent.key for one in pushed_messages(shop)}) == 2


def test_a_dry_run_and_what_moves_no_data_tell_nobody() -> None:
    """Whatever it would do; nor does any other rollback."""
    shop = build_shop_with_devices({"customers/ada": {"name": "Ada"}})
    shop.order(dry_run=True)
    shop.deploy_bad()
    shop.alert()
    shop.pass_time(45 * MINUTE)

    assert told(shop) == {}
    assert [name for name in kept(shop) if name.endswith(":concerned")] == []


def test_nobody_is_named_but_in_the_journal() -> None:
    """Neither in a notice nor in what the team hears of it."""
    spoilt = {f"customers/{name}": {"name": "x"} for name in ("ada", "bob", "cleo")}
    shop = build_shop_with_devices(spoilt, at_most=2)
    repair(shop)
    told(shop)

    said = {name: one for name, one in kept(shop).items() if "concerned" in name}
    assert said
    text = json.dumps(said, default=str)
    assert not any(name in text for name in ("ada", "bob", "cleo", "hush"))
    words = [one.sent.notice for one in pushed_messages(shop)]
    assert not any(name in str(words) for name in ("ada", "bob", "cleo", "hush", "orders"))


def journal(shop: CorruptedShop, *paths: str, name: str) -> None:
    """A rollback has written these, in a batch of that name."""
    landed = tuple(WrittenDocument(path, START) for path in paths)
    entry = JournalEntry(name, "repair 1", "(default)", SourceObject("bucket", "object", 1), landed)
    shop.store.commit([Put(f"{quarantine.journal_path('INC-1')}/{name}", encode(entry))])


def test_what_nobody_could_tell_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of unknown outcome, and documents that are more than can be looked at."""
    shop = build_shop_with_devices({"orders/2": PAID, "orders/3": PAID | {"customer": "cleo"}})
    journal(shop, name="a")
    journal(shop, "orders/2", "orders/3", "prices/1", name="b")
    monkeypatch.setattr(affected_users, "MAX_DOCUMENTS_READ", 1)
    at = shop.now

    users = affected_users.find_affected_users(shop.ports, shop.policy, "INC-1", at, None)

    assert users == affected_users.AffectedUsers(["bob"], 2)


def test_a_journal_of_many_batches_is_read_a_page_at_a_time() -> None:
    """Whoever stands in any of them is told, once."""
    shop = build_shop_with_devices({})
    people = [f"{number:03}" for number in range(2 * PAGE_SIZE + 5)]
    for number, person in enumerate(people):
        journal(shop, f"customers/{person}", f"customers/{people[0]}", name=f"{number:03}")
    asked: list[str] = []
    shop.store.hook = lambda verb, side: asked.append(f"{side} {verb}")

    users = affected_users.find_affected_users(shop.ports, shop.policy, "INC-1", shop.now, None)

    assert users == affected_users.AffectedUsers(people, 0)
    assert asked.count("before store.query") == 3


def test_whose_name_stands_above_it_is_known() -> None:
    """Though no field names them."""
    rules = ErasureRules((Place("customers"), Place("orders", everywhere=True, field="customer")))
    shop = build_shop_with_devices({"customers/ada/orders/2": {"status": "open"}})
    journal(shop, "customers/ada/orders/2", name="a")
    policy, at = replace(shop.policy, erasure=rules), shop.now

    users = affected_users.find_affected_users(shop.ports, policy, "INC-1", at, None)

    assert users == affected_users.AffectedUsers(["ada"], 0)


RULES = ErasureRules((Place("users"), Place("jobs", everywhere=True, field="owner.id")))


@pytest.mark.parametrize(
    ("path", "fields", "persons"),
    [
        ("users/ada", {}, {"ada"}),
        ("users/ada/notes/1", {}, {"ada"}),
        ("jobs/1", {"owner": {"id": "bob"}}, {"bob"}),
        ("users/ada/jobs/1", {"owner": {"id": ["bob", "eve"]}}, {"ada", "bob", "eve"}),
        ("jobs/1", {"owner": {"id": Reference("projects/p/databases/d/documents/users/x")}}, {"x"}),
        ("jobs/1", {"owner": {"id": "users/bob"}}, {"bob"}),
        ("jobs/1", {"owner": "bob"}, set()),
        ("prices/1", {"owner": {"id": "bob"}}, set()),
        *(("jobs/1", {"owner": {"id": one}}, set()) for one in ("", ".", "..", "__x__", "é" * 751)),
    ],
)
def test_whose_a_document_is(path: str, fields: dict[str, Any], persons: set[str]) -> None:
    """By its name, by one above it, by its fields; what can be no id of a document is nobody's."""
    version = DocumentSnapshot(path, fields, START, START)

    assert owners_by_name(RULES, path) | {*owners_by_field(RULES, version)} == persons
    assert has_owner_field(RULES, path) == ("jobs" in path)
