"""What becomes of each document of a spoilt bookshop."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.data.repair.document_outcomes import MAX_VERSIONS_TRIED
from shared.core.codec import encode
from shared.core.errors import Unavailable
from shared.core.store import Put
from shared.domain.data.erasure.ledger import (
    Erasure,
    ErasureLedgerRecord,
    erasure_path,
    hash_person,
    ledger_path,
)
from shared.domain.data.repair import repair_plan
from shared.domain.data.repair.repair_plan import DocumentOutcome, RepairPosition
from shared.domain.data.ttl import TtlField
from shared.domain.policy.data_rules import Collection, ErasureRules, Place
from tests.support.data.repairs import GOOD, HERE, MINUTE, SHOP, RepairedShop


def test_an_invalid_document_is_brought_back_to_its_newest_version_that_passes() -> None:
    """What the application wrote before the damage stays, though it is newer than the moment."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"email": "new@example.com"}})
    shop.pass_time()
    for spoilt in range(3):
        shop.write({"customers/ada": {"spoilt": spoilt}})
        shop.pass_time()

    position = shop.repair("customers")
    assert position.fates == {DocumentOutcome.BACK: 1}
    assert position.seen == 3
    assert shop.read_documents("customers/ada") == [{"email": "new@example.com"}]
    assert shop.landed_paths() == {"customers/ada"}


def test_long_ago_the_newest_version_of_a_whole_minute_counts() -> None:
    """Beyond an hour no other can be read."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"email": "new@example.com"}})
    shop.pass_time()
    shop.advance_clock(timedelta(seconds=30))
    shop.write({"customers/ada": {"spoilt": True}})
    shop.advance_clock(timedelta(hours=5))

    assert shop.repair("customers").fates == {DocumentOutcome.BACK: 1}
    assert shop.read_documents("customers/ada") == [{"email": "new@example.com"}]


def spoilt_often(shop: RepairedShop) -> None:
    for spoilt in range(MAX_VERSIONS_TRIED + 2):
        shop.pass_time()
        shop.write({"customers/ada": {"spoilt": spoilt}})


def test_a_document_that_was_spoilt_again_and_again() -> None:
    """However often: what the application wrote before the damage stays."""
    shop = RepairedShop()
    shop.advance_clock(timedelta(minutes=90))
    shop.write({"customers/ada": {"email": "new@example.com"}})
    spoilt_often(shop)

    assert shop.repair("customers").fates == {DocumentOutcome.BACK: 1}
    assert shop.read_documents("customers/ada") == [{"email": "new@example.com"}]


def test_a_document_that_was_spoilt_as_often_as_it_was_written() -> None:
    """Since the stated moment it was never valid again: it is as it was then."""
    shop = RepairedShop()
    spoilt_often(shop)

    assert shop.repair("customers").fates == {DocumentOutcome.BACK: 1}
    assert shop.read_documents("customers/ada") == [GOOD["customers/ada"]]


def test_a_document_that_was_made_and_spoilt_since() -> None:
    """It was not there at the stated moment, and once it was there it was valid."""
    shop = RepairedShop()
    shop.write({"customers/ada": None})
    shop.before = shop.now
    shop.advance_clock(timedelta(minutes=90))
    shop.write({"customers/ada": {"email": "new@example.com"}})
    spoilt_often(shop)

    assert shop.repair("customers").fates == {DocumentOutcome.BACK: 1}
    assert shop.read_documents("customers/ada") == [{"email": "new@example.com"}]


def test_a_document_that_was_spoilt_before_the_stated_moment() -> None:
    """However often it was since: none of them passes, and that of then does not, either."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"spoilt": -1}})
    shop.pass_time()
    shop.before = shop.now
    spoilt_often(shop)
    assert shop.fates("customers") == {"customers/ada": DocumentOutcome.LOST}


def test_what_was_never_valid_is_not_looked_for() -> None:
    """Made by the release, a document has no version that passes: it costs no further reads."""
    shop = RepairedShop()
    made = {f"customers/{n}": {"spoilt": 1} for n in range(50)}
    shop.advance_clock(timedelta(hours=3))
    shop.write(dict(made))
    goal = shop.goal("customers")
    before = shop.ports.kept.reads
    [batch] = shop.build_selector(goal).select_batches(RepairPosition())
    assert {one.fate for one in batch.fated} == {DocumentOutcome.LOST}
    assert shop.ports.kept.reads - before < 3 * len(made)


@pytest.mark.parametrize("minutes", [0, 2, 45])
def test_a_document_that_was_deleted_and_made_again(minutes: int) -> None:
    """Spoilt from its first moment on: the newest version before it was deleted passes."""
    shop = RepairedShop()
    shop.advance_clock(timedelta(minutes=90))
    shop.write({"customers/ada": {"email": "new@example.com"}})
    shop.pass_time()
    shop.write({"customers/ada": None})
    shop.advance_clock(minutes * MINUTE)
    shop.write({"customers/ada": {"spoilt": 1}})
    shop.write({"customers/ada": {"spoilt": 2}})

    assert shop.repair("customers").fates == {DocumentOutcome.BACK: 1}
    assert shop.read_documents("customers/ada") == [{"email": "new@example.com"}]


def test_what_is_valid_is_left() -> None:
    """Changed, made, deleted since: listed, and as the application wants it; so is what is lost."""
    shop = RepairedShop()
    shop.write(
        {
            "customers/ada": {"email": "new@example.com"},
            "customers/bob": None,
            "customers/new": {"email": "n@example.com"},
            "customers/bad": {"never": "valid"},
        }
    )
    fates = {
        "customers/ada": DocumentOutcome.CHANGED,
        "customers/bob": DocumentOutcome.DELETED,
        "customers/new": DocumentOutcome.MADE,
        "customers/bad": DocumentOutcome.LOST,
    }

    assert shop.fates("customers") == fates
    before = shop.read_documents(*fates)
    assert sum(shop.repair("customers").fates.values()) == 4
    assert shop.read_documents(*fates) == before
    assert shop.journal() == []


def test_an_order_whose_customer_is_gone() -> None:
    """No version of it passes while nobody is there; one that names somebody is brought back."""
    shop = RepairedShop()
    shop.write({"orders/1": {"customer": "nobody"}, "customers/bob": None})
    assert shop.fates("orders") == {"orders/1": DocumentOutcome.BACK, "orders/2": DocumentOutcome.LOST}


@pytest.mark.parametrize("name", [".", "__all__", "x" * 2000, "shops/customers/ada"])
def test_an_order_that_names_what_no_document_can_be_called(name: str) -> None:
    """It names nobody; it keeps no other from being looked at, and comes back."""
    shop = RepairedShop()
    shop.write({"orders/1": {"customer": name}, "orders/2": {"customer": "nobody"}})
    assert shop.fates("orders") == dict.fromkeys(("orders/1", "orders/2"), DocumentOutcome.BACK)


@pytest.mark.parametrize("source", [HERE, "clone"])
def test_an_order_comes_back_with_its_customer(source: str) -> None:
    """Both are gone, and all is wanted: what a version names is there once all is as it was."""
    shop = RepairedShop()
    shop.ports.kept.write("clone", GOOD)
    shop.write(dict.fromkeys(GOOD))
    more: dict[str, Any] = {"source": source, "before": shop.before if source == HERE else None}
    assert shop.fates("orders", "all", **more) == dict.fromkeys(
        ("orders/1", "orders/2"), DocumentOutcome.REVIVED
    )
    assert shop.fates("orders", "collection:orders", **more) == dict.fromkeys(
        ("orders/1", "orders/2"), DocumentOutcome.LOST
    )


@pytest.mark.parametrize(
    ("select", "fates"),
    [
        (
            "all",
            {
                "customers/ada": DocumentOutcome.OLDER,
                "customers/bob": DocumentOutcome.REVIVED,
                "customers/eve": DocumentOutcome.BACK,
                "customers/new": DocumentOutcome.REMOVED,
            },
        ),
        ("document:customers/bob", {"customers/bob": DocumentOutcome.REVIVED}),
        ("document:customers/none", {}),
        ("prefix:customers/b", {"customers/bob": DocumentOutcome.REVIVED}),
        ("query:customers spoilt present", {"customers/eve": DocumentOutcome.BACK}),
    ],
)
def test_what_a_person_wants_back_all_the_same(select: str, fates: dict[str, DocumentOutcome]) -> None:
    """Everything of it is as it was then, and what that undoes is told."""
    shop = RepairedShop()
    shop.write(
        {
            "customers/ada": {"email": "new@example.com"},
            "customers/bob": None,
            "customers/eve": {"spoilt": True},
            "customers/new": {"email": "n@example.com"},
        }
    )
    assert shop.fates("customers", select) == fates
    shop.repair("customers", select)

    assert shop.landed_paths() == set(fates)
    assert shop.read_documents(*fates) == [GOOD.get(path) for path in fates]


def test_what_was_invalid_then_is_not_brought_back() -> None:
    """Nobody wants damage back, whatever they select."""
    shop = RepairedShop()
    shop.write({"customers/ada": {"spoilt": True}})
    shop.restore_from_now()
    shop.write({"customers/ada": {"email": "a"}})
    assert shop.fates("customers", "all") == {"customers/ada": DocumentOutcome.LOST}


def erase(shop: RepairedShop, person: str) -> None:
    """They are erased, now."""
    book = ErasureLedgerRecord("bookshop", "salt", shop.now)
    entry = Erasure("bookshop", hash_person("salt", person), shop.now, ())
    shop.store.commit(
        [Put(ledger_path("bookshop"), encode(book)), Put(erasure_path("bookshop", entry.hash), encode(entry))]
    )
    shop.pass_time()


def test_who_was_erased_stays_so() -> None:
    """Neither they nor what is theirs comes back; who came again since does, as they are now."""
    shop = RepairedShop()
    shop.write({"customers/ada": None, "orders/1": None, "customers/ada/notes/1": None})
    erase(shop, "ada")
    assert shop.fates("customers", "all") == {"customers/ada": DocumentOutcome.ERASED}
    assert shop.fates("orders") == {"orders/1": DocumentOutcome.ERASED}

    shop.write({"customers/ada": {"email": "again@example.com"}})
    shop.pass_time()
    shop.write({"customers/ada": {"spoilt": True}})
    assert shop.fates("customers") == {"customers/ada": DocumentOutcome.BACK}


@pytest.mark.parametrize("select", ["all", "document:orders/1/lines/1"])
@pytest.mark.parametrize("is_there", [False, True])
def test_what_stands_below_a_document_that_names_who_was_erased_stays_gone(
    select: str, is_there: bool
) -> None:
    """It names nobody itself; its order does, or did when it stood there."""
    shop = RepairedShop(replace(SHOP, erasure=ErasureRules((Place("orders", field="customer"),))))
    lines = {f"orders/{n}/lines/1": {"to": "10 Downing Street"} for n in (1, 2)}
    shop.write({**lines, "orders/1": GOOD["orders/1"] if is_there else {"customer": "eve"}})
    shop.restore_from_now()
    shop.write({**dict.fromkeys(lines), "orders/1": None if is_there else GOOD["orders/1"]})
    erase(shop, "ada")
    assert shop.fates("orders/1/lines", select) == {"orders/1/lines/1": DocumentOutcome.ERASED}
    assert shop.fates("orders/2/lines", "all") == {"orders/2/lines/1": DocumentOutcome.REVIVED}


@pytest.mark.parametrize("select", ["all", "collection:erased", "document:erased/new"])
def test_whom_the_application_has_erased_it_does_not_forget(select: str) -> None:
    """Its own record of that is as old as it is, whatever else is as it was."""
    rules = ErasureRules((Place("customers"),), "erased", "who", "done")
    shop = RepairedShop(replace(SHOP, erasure=rules))
    shop.write({"erased/new": {"who": "ada", "done": shop.now}})
    assert shop.fates("erased", select) == {"erased/new": DocumentOutcome.ERASED}
    shop.repair("erased", select)
    assert shop.read_documents("erased/new") != [None]


@pytest.mark.parametrize(
    ("is_known", "fate"), [(False, DocumentOutcome.ERASED), (True, DocumentOutcome.BACK)]
)
def test_a_spoilt_record_of_somebody_erased(is_known: bool, fate: DocumentOutcome) -> None:
    """It comes back to a version that tells of them, too, and to no other."""
    rules = ErasureRules((Place("customers"),), "erased", "who", "done")
    erased = Collection(schema={"not": {"required": ["spoilt"]}})
    policy = replace(SHOP, erasure=rules, collections={**SHOP.collections, "erased": erased})
    shop = RepairedShop(policy)
    told: dict[str, Any] = {"who": "ada", "done": shop.now}
    shop.write({"erased/1": told if is_known else {"who": "ada"}})
    shop.pass_time()
    shop.write({"erased/1": {**told, "spoilt": 1}})
    assert shop.fates("erased") == {"erased/1": fate}


def test_without_a_record_of_the_erased_everything_is_as_it_was() -> None:
    """Who is erased is told by command alone then."""
    shop = RepairedShop(replace(SHOP, erasure=ErasureRules((Place("customers"),))))
    shop.write({"other/new": {"n": 1}})
    assert shop.fates("other", "all") == {"other/new": DocumentOutcome.REMOVED}


def test_what_could_not_be_looked_at_is_left() -> None:
    """A file that gives no answer is not known to be gone: its document is not known to be bad."""
    covers = Collection(schema={"required": ["file"]}, media={"file": "shop-media"})
    shop = RepairedShop(replace(SHOP, collections={**SHOP.collections, "covers": covers}))

    def dark(verb: str, side: str) -> None:
        raise Unavailable("no answer")

    shop.ports.media.hook = dark
    shop.write({"covers/1": {"file": "1.png"}, "covers/2": {"no": "file"}})
    assert shop.fates("covers") == {"covers/1": DocumentOutcome.UNKNOWN, "covers/2": DocumentOutcome.LOST}


@pytest.mark.parametrize("spoilt", [1, MAX_VERSIONS_TRIED + 2])
@pytest.mark.parametrize("is_of_then", [False, True])
def test_a_version_that_could_not_be_looked_at_is_not_passed_over(spoilt: int, is_of_then: bool) -> None:
    """It may be the newest that passes: what the application wrote is not lost to an older one."""
    covers = Collection(schema={"required": ["n"]}, media={"file": "shop-media"})
    shop = RepairedShop(replace(SHOP, collections={**SHOP.collections, "covers": covers}))

    def dark(verb: str, side: str) -> None:
        raise Unavailable("no answer")

    shop.ports.media.hook = dark
    shop.advance_clock(timedelta(minutes=90))
    shop.write({"covers/1": {"n": 1}})
    shop.restore_from_now()
    shop.write({"covers/1": {"n": 2, "file": "2.png"}})
    shop.pass_time()
    if is_of_then:
        shop.before = shop.now
    for n in range(spoilt):
        shop.pass_time()
        shop.write({"covers/1": {"spoilt": n}})
    assert shop.fates("covers") == {"covers/1": DocumentOutcome.UNKNOWN}


def test_what_expired_is_not_revived() -> None:
    """Its time was over, whoever removed it."""
    shop = RepairedShop()
    now = shop.now
    shop.write({"carts/1": {"n": 1, "until": now}, "carts/2": {"n": 1, "until": now + 99 * MINUTE}})
    shop.restore_from_now()
    shop.write({"carts/1": {"until": now}, "carts/2": {"until": now}})
    assert shop.fates("carts") == {"carts/1": DocumentOutcome.EXPIRED, "carts/2": DocumentOutcome.BACK}


@pytest.mark.parametrize("select", ["all", "invalid"])
def test_what_the_database_itself_let_expire_is_not_revived(select: str) -> None:
    """Its own policy says so, declared or not; what has time left is revived like any other."""
    shop = RepairedShop()
    shop.ports.beside.expiring[HERE] = [TtlField("notes", ("meta", "until"), 2 * MINUTE)]
    soon = shop.now + 4 * MINUTE
    over, ahead = {"meta": {"until": soon}}, {"meta": {"until": soon + 99 * MINUTE}}
    shop.write({"notes/1": over, "notes/2": ahead, "customers/ada/notes/1": over, "other/1": over})
    shop.pass_time()
    shop.before = shop.now
    shop.advance_clock(9 * MINUTE)
    shop.write(dict.fromkeys(("notes/1", "notes/2", "customers/ada/notes/1", "other/1")))
    there = DocumentOutcome.REVIVED if select == "all" else DocumentOutcome.DELETED

    assert shop.fates("notes", select) == {"notes/1": DocumentOutcome.EXPIRED, "notes/2": there}
    assert shop.fates("customers/ada/notes", select) == {"customers/ada/notes/1": DocumentOutcome.EXPIRED}
    assert shop.fates("other", select) == {"other/1": there}


def test_what_is_declared_everywhere_holds_for_one_collection_below_a_document() -> None:
    """Selected by its path, what expired is not revived, nor what is invalid brought back."""
    carts = replace(SHOP.collections["carts"], everywhere=True)
    shop = RepairedShop(replace(SHOP, collections={**SHOP.collections, "carts": carts}))
    below, now = "customers/ada/carts", shop.now
    shop.write({f"{below}/1": {"n": 1, "until": now}, f"{below}/2": {}, f"{below}/3": {"n": 1}})
    shop.restore_from_now()
    shop.write({f"{below}/{n}": None for n in (1, 2, 3)})

    assert shop.fates(below, f"collection:{below}") == {
        f"{below}/1": DocumentOutcome.EXPIRED,
        f"{below}/2": DocumentOutcome.LOST,
        f"{below}/3": DocumentOutcome.REVIVED,
    }


def test_of_all_what_nobody_has_declared_comes_back_too() -> None:
    """However deep below a document, and whether or not that document is there."""
    shop = RepairedShop()
    notes = {"customers/ada/notes/1": {"n": 1}, "a/b/c/d/e/f": {"n": 1}, "a/b/c/x": {"n": 1}}
    shop.write(dict(notes))
    shop.restore_from_now()
    shop.write({"customers/ada/notes/1": None, "a/b/c/d/e/f": {"n": 2}, "a/b/c/y": {"n": 1}})
    shop.write({"customers/ada": {"email": "new@example.com"}})
    every = replace(shop.goal("", "all"), scope=repair_plan.WHOLE_DATABASE)

    assert shop.write_all_portions(every).fates == {
        DocumentOutcome.REVIVED: 1,
        DocumentOutcome.OLDER: 1,
        DocumentOutcome.REMOVED: 1,
    }
    assert shop.read_documents(*notes) == list(notes.values())
    assert shop.read_documents("a/b/c/y", "customers/ada") == [None, {"email": "new@example.com"}]


def test_a_copy_is_the_source() -> None:
    """Of another database one moment is known; what does not pass there stays as it is."""
    shop = RepairedShop()
    shop.ports.kept.write("clone", {**GOOD, "customers/bob": {"spoilt": 1}})
    shop.write({"customers/ada": {"spoilt": True}, "customers/bob": {"spoilt": True}})

    more: dict[str, Any] = {"source": "clone", "before": None}
    assert shop.fates("customers", **more) == {
        "customers/ada": DocumentOutcome.BACK,
        "customers/bob": DocumentOutcome.LOST,
    }
    shop.repair("customers", **more)
    assert shop.read_documents("customers/ada", "customers/bob") == [GOOD["customers/ada"], {"spoilt": True}]


def test_who_was_erased_a_moment_ago_is_not_made_again() -> None:
    """The application's own list is read before anything is made again."""
    rules = ErasureRules((Place("customers"),), "erased", "who", "done")
    shop = RepairedShop(replace(SHOP, erasure=rules))
    goal = shop.goal("customers", "all")
    now = shop.now
    shop.write({"customers/bob": None, "erased/1": {"who": "ada", "done": now}})
    shop.ports.beside.held[HERE, "erased/1"] = now
    shop.write({"customers/ada": None})
    goal = replace(goal, at=shop.now)
    shop.pass_time()

    assert shop.write_all_portions(goal).fates == {DocumentOutcome.ERASED: 1, DocumentOutcome.REVIVED: 1}
    assert shop.read_documents("customers/ada", "customers/bob") == [None, GOOD["customers/bob"]]
