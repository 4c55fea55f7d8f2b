"""What becomes of each document of a spoilt bookshop, and what a repair writes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from responders.erasing import Erasing
from responders.mending import CHUNK, VERSIONS_BACK, Mending
from responders.rewriting import MayGoOn, Ours, Rewriting
from shared import quarantine, repair
from shared.documents import decode, encode
from shared.erasure import Book, Erasure, ErasureRules, Place, book_path, hashed
from shared.erasure import path as erasure_path
from shared.errors import Ambiguous, Rejected, Unavailable
from shared.integrity_rules import Collection
from shared.plan import Step
from shared.ports import Put, Query
from shared.quarantine import Entry
from shared.ramp import Ramp
from shared.repair import Fate, Goal, Position
from shared.shortened import CHARACTERS
from shared.versions import REWRITE_SECONDS, Scope
from tests.fakes.hooks import no_hook
from tests.world import CHECKED, FakePorts

HERE = "(default)"
MINUTE = timedelta(minutes=1)
SHOP = replace(
    CHECKED,
    collections={
        **CHECKED.collections,
        "carts": Collection(schema={"type": "object", "required": ["n"]}, expires="until"),
    },
)
STEP = Step("repair ", repair.KIND, "customers")
GOOD: dict[str, dict[str, Any] | None] = {
    "customers/ada": {"email": "ada@example.com"},
    "customers/bob": {"email": "bob@example.com"},
    "customers/eve": {"email": "eve@example.com"},
    "orders/1": {"customer": "ada", "status": "paid", "amount": 3},
    "orders/2": {"customer": "bob", "status": "open"},
}


class Shop:
    """The bookshop's database, and one repair of it."""

    def __init__(self) -> None:
        self.ports = FakePorts(SHOP)
        self.ports.databases.hold_documents(HERE)
        Erasing(self.ports, {SHOP.system: SHOP}).learn()
        self.write(GOOD)
        self.pass_time()
        self.before = self.ports.clock.now()
        self.pass_time()
        self.may_go_on: MayGoOn = lambda deadline: True

    def write(self, documents: dict[str, dict[str, Any] | None]) -> None:
        self.ports.kept.write(HERE, documents)

    def pass_time(self) -> None:
        self.ports.clock.advance(MINUTE)

    def goal(self, collection: str, select: str = "invalid", **more: Any) -> Goal:
        self.pass_time()
        at = self.ports.clock.now()
        self.pass_time()
        known = repair.parse(select)
        return replace(Goal(HERE, at, HERE, self.before, known, Scope(collection)), **more)

    def fates(self, collection: str, select: str = "invalid", **more: Any) -> dict[str, Fate]:
        mending = Mending(self.ports, SHOP, self.goal(collection, select, **more))
        batches = mending.batches(Position())
        return {one.path: one.fate for batch in batches for one in batch.fated}

    @property
    def rewriting(self) -> Rewriting:
        ramp = Ramp(0.0, self.ports.clock.monotonic())
        return Rewriting(self.ports, SHOP, Ours("INC-1"), ramp, self.may_go_on)

    def repair(self, collection: str, select: str = "invalid", **more: Any) -> Position:
        return self.carried(self.goal(collection, select, **more))

    def carried(self, goal: Goal) -> Position:
        position, step = Position(), replace(STEP, name=f"repair {goal.after}")
        while not position.is_over:
            position = self.rewriting.portion(step, goal, position)
        return position

    def there(self, *paths: str) -> list[dict[str, Any] | None]:
        found = self.ports.kept.get(HERE, paths, None)
        return [one.fields if (one := found[path]) is not None else None for path in paths]

    def journal(self) -> list[Entry]:
        found = self.ports.store.query(Query(quarantine.journal("INC-1")))
        return [decode(Entry, one.fields) for one in found]

    def landed(self) -> set[str]:
        return {one.path for entry in self.journal() for one in entry.landed}


def test_an_invalid_document_is_brought_back_to_its_newest_version_that_passes() -> None:
    """What the application wrote before the damage stays, though it is newer than the moment."""
    shop = Shop()
    shop.write({"customers/ada": {"email": "new@example.com"}})
    shop.pass_time()
    for spoilt in range(3):
        shop.write({"customers/ada": {"spoilt": spoilt}})
        shop.pass_time()

    position = shop.repair("customers")
    assert position.fates == {Fate.BACK: 1}
    assert position.seen == 3
    assert shop.there("customers/ada") == [{"email": "new@example.com"}]
    assert shop.landed() == {"customers/ada"}


def test_long_ago_the_newest_version_of_a_whole_minute_counts() -> None:
    """Beyond an hour no other can be read."""
    shop = Shop()
    shop.write({"customers/ada": {"email": "new@example.com"}})
    shop.pass_time()
    shop.ports.clock.advance(timedelta(seconds=30))
    shop.write({"customers/ada": {"spoilt": True}})
    shop.ports.clock.advance(timedelta(hours=5))

    assert shop.repair("customers").fates == {Fate.BACK: 1}
    assert shop.there("customers/ada") == [{"email": "new@example.com"}]


def spoilt_often(shop: Shop) -> None:
    for spoilt in range(VERSIONS_BACK + 2):
        shop.pass_time()
        shop.write({"customers/ada": {"spoilt": spoilt}})


def test_a_document_that_was_spoilt_again_and_again() -> None:
    """However often: what the application wrote before the damage stays."""
    shop = Shop()
    shop.ports.clock.advance(timedelta(minutes=90))
    shop.write({"customers/ada": {"email": "new@example.com"}})
    spoilt_often(shop)

    assert shop.repair("customers").fates == {Fate.BACK: 1}
    assert shop.there("customers/ada") == [{"email": "new@example.com"}]


def test_a_document_that_was_spoilt_as_often_as_it_was_written() -> None:
    """Since the stated moment it was never valid again: it is as it was then."""
    shop = Shop()
    spoilt_often(shop)

    assert shop.repair("customers").fates == {Fate.BACK: 1}
    assert shop.there("customers/ada") == [GOOD["customers/ada"]]


def test_a_document_that_was_made_and_spoilt_since() -> None:
    """It was not there at the stated moment, and once it was there it was valid."""
    shop = Shop()
    shop.write({"customers/ada": None})
    shop.before = shop.ports.clock.now()
    shop.ports.clock.advance(timedelta(minutes=90))
    shop.write({"customers/ada": {"email": "new@example.com"}})
    spoilt_often(shop)

    assert shop.repair("customers").fates == {Fate.BACK: 1}
    assert shop.there("customers/ada") == [{"email": "new@example.com"}]


@pytest.mark.parametrize("minutes", [0, 2, 45])
def test_a_document_that_was_deleted_and_made_again(minutes: int) -> None:
    """Spoilt from its first moment on: the newest version before it was deleted passes."""
    shop = Shop()
    shop.ports.clock.advance(timedelta(minutes=90))
    shop.write({"customers/ada": {"email": "new@example.com"}})
    shop.pass_time()
    shop.write({"customers/ada": None})
    shop.ports.clock.advance(minutes * MINUTE)
    shop.write({"customers/ada": {"spoilt": 1}})
    shop.write({"customers/ada": {"spoilt": 2}})

    assert shop.repair("customers").fates == {Fate.BACK: 1}
    assert shop.there("customers/ada") == [{"email": "new@example.com"}]


def test_what_is_valid_is_left() -> None:
    """Changed, made, deleted since: listed, and as the application wants it; so is what is lost."""
    shop = Shop()
    shop.write(
        {
            "customers/ada": {"email": "new@example.com"},
            "customers/bob": None,
            "customers/new": {"email": "n@example.com"},
            "customers/bad": {"never": "valid"},
        }
    )
    fates = {
        "customers/ada": Fate.CHANGED,
        "customers/bob": Fate.DELETED,
        "customers/new": Fate.MADE,
        "customers/bad": Fate.LOST,
    }

    assert shop.fates("customers") == fates
    before = shop.there(*fates)
    assert sum(shop.repair("customers").fates.values()) == 4
    assert shop.there(*fates) == before
    assert shop.journal() == []


def test_an_order_whose_customer_is_gone() -> None:
    """No version of it passes while nobody is there; one that names somebody is brought back."""
    shop = Shop()
    shop.write({"orders/1": {"customer": "nobody"}, "customers/bob": None})
    assert shop.fates("orders") == {"orders/1": Fate.BACK, "orders/2": Fate.LOST}


@pytest.mark.parametrize("source", [HERE, "clone"])
def test_an_order_comes_back_with_its_customer(source: str) -> None:
    """Both are gone, and all is wanted: what a version names is there once all is as it was."""
    shop = Shop()
    shop.ports.kept.write("clone", GOOD)
    shop.write(dict.fromkeys(GOOD))
    more: dict[str, Any] = {"source": source, "before": shop.before if source == HERE else None}
    assert shop.fates("orders", "all", **more) == dict.fromkeys(
        ("orders/1", "orders/2"), Fate.REVIVED
    )
    assert shop.fates("orders", "collection:orders", **more) == dict.fromkeys(
        ("orders/1", "orders/2"), Fate.LOST
    )


@pytest.mark.parametrize(
    ("select", "fates"),
    [
        (
            "all",
            {
                "customers/ada": Fate.OLDER,
                "customers/bob": Fate.REVIVED,
                "customers/eve": Fate.BACK,
                "customers/new": Fate.REMOVED,
            },
        ),
        ("document:customers/bob", {"customers/bob": Fate.REVIVED}),
        ("document:customers/none", {}),
        ("prefix:customers/b", {"customers/bob": Fate.REVIVED}),
        ("query:customers spoilt present", {"customers/eve": Fate.BACK}),
    ],
)
def test_what_a_person_wants_back_all_the_same(select: str, fates: dict[str, Fate]) -> None:
    """Everything of it is as it was then, and what that undoes is told."""
    shop = Shop()
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

    assert shop.landed() == set(fates)
    assert shop.there(*fates) == [GOOD.get(path) for path in fates]


def test_what_was_invalid_then_is_not_brought_back() -> None:
    """Nobody wants damage back, whatever they select."""
    shop = Shop()
    shop.write({"customers/ada": {"spoilt": True}})
    shop.pass_time()
    shop.before = shop.ports.clock.now()
    shop.pass_time()
    shop.write({"customers/ada": {"email": "a"}})
    assert shop.fates("customers", "all") == {"customers/ada": Fate.LOST}


def erase(shop: Shop, person: str) -> None:
    """They are erased, now."""
    book = Book("bookshop", "salt", shop.ports.clock.now())
    entry = Erasure("bookshop", hashed("salt", person), shop.ports.clock.now(), ())
    shop.ports.store.commit(
        [
            Put(book_path("bookshop"), encode(book)),
            Put(erasure_path("bookshop", entry.hash), encode(entry)),
        ]
    )
    shop.pass_time()


def test_who_was_erased_stays_so() -> None:
    """Neither they nor what is theirs comes back; who came again since does, as they are now."""
    shop = Shop()
    shop.write({"customers/ada": None, "orders/1": None, "customers/ada/notes/1": None})
    erase(shop, "ada")
    assert shop.fates("customers", "all") == {"customers/ada": Fate.ERASED}
    assert shop.fates("orders") == {"orders/1": Fate.ERASED}

    shop.write({"customers/ada": {"email": "again@example.com"}})
    shop.pass_time()
    shop.write({"customers/ada": {"spoilt": True}})
    assert shop.fates("customers") == {"customers/ada": Fate.BACK}


def test_what_expired_is_not_revived() -> None:
    """Its time was over, whoever removed it."""
    shop = Shop()
    now = shop.ports.clock.now()
    shop.write({"carts/1": {"n": 1, "until": now}, "carts/2": {"n": 1, "until": now + 99 * MINUTE}})
    shop.pass_time()
    shop.before = shop.ports.clock.now()
    shop.pass_time()
    shop.write({"carts/1": {"until": now}, "carts/2": {"until": now}})
    assert shop.fates("carts") == {"carts/1": Fate.EXPIRED, "carts/2": Fate.BACK}


def test_what_is_declared_everywhere_holds_for_one_collection_below_a_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Selected by its path, what expired is not revived, nor what is invalid brought back."""
    carts = replace(SHOP.collections["carts"], everywhere=True)
    shop_with = replace(SHOP, collections={**SHOP.collections, "carts": carts})
    monkeypatch.setattr("tests.test_mending.SHOP", shop_with)
    shop = Shop()
    below, now = "customers/ada/carts", shop.ports.clock.now()
    shop.write({f"{below}/1": {"n": 1, "until": now}, f"{below}/2": {}, f"{below}/3": {"n": 1}})
    shop.pass_time()
    shop.before = shop.ports.clock.now()
    shop.pass_time()
    shop.write({f"{below}/{n}": None for n in (1, 2, 3)})

    assert shop.fates(below, f"collection:{below}") == {
        f"{below}/1": Fate.EXPIRED,
        f"{below}/2": Fate.LOST,
        f"{below}/3": Fate.REVIVED,
    }


def test_of_all_what_nobody_has_declared_comes_back_too() -> None:
    """However deep below a document, and whether or not that document is there."""
    shop = Shop()
    notes = {"customers/ada/notes/1": {"n": 1}, "a/b/c/d/e/f": {"n": 1}, "a/b/c/x": {"n": 1}}
    shop.write(dict(notes))
    shop.pass_time()
    shop.before = shop.ports.clock.now()
    shop.pass_time()
    shop.write({"customers/ada/notes/1": None, "a/b/c/d/e/f": {"n": 2}, "a/b/c/y": {"n": 1}})
    shop.write({"customers/ada": {"email": "new@example.com"}})
    every = replace(shop.goal("", "all"), scope=repair.EVERYTHING)

    assert shop.carried(every).fates == {Fate.REVIVED: 1, Fate.OLDER: 1, Fate.REMOVED: 1}
    assert shop.there(*notes) == list(notes.values())
    assert shop.there("a/b/c/y", "customers/ada") == [None, {"email": "new@example.com"}]


def test_a_copy_is_the_source() -> None:
    """Of another database one moment is known; what does not pass there stays as it is."""
    shop = Shop()
    shop.ports.kept.write("clone", {**GOOD, "customers/bob": {"spoilt": 1}})
    shop.write({"customers/ada": {"spoilt": True}, "customers/bob": {"spoilt": True}})

    more: dict[str, Any] = {"source": "clone", "before": None}
    assert shop.fates("customers", **more) == {
        "customers/ada": Fate.BACK,
        "customers/bob": Fate.LOST,
    }
    shop.repair("customers", **more)
    assert shop.there("customers/ada", "customers/bob") == [
        GOOD["customers/ada"],
        {"spoilt": True},
    ]


def test_what_the_application_writes_meanwhile_stays() -> None:
    """Between the look and the write, in the very batch: it is left, told, and holds up nobody."""
    shop = Shop()
    shop.write({"customers/ada": {"spoilt": 1}, "customers/bob": {"spoilt": 1}})
    goal = shop.goal("customers")

    def meanwhile(verb: str, side: str) -> None:
        if (verb, side) == ("rewrites.rewrite", "before"):
            shop.write({"customers/ada": {"email": "mine@example.com"}})
            shop.ports.rewritten.hook = no_hook

    shop.ports.rewritten.hook = meanwhile
    assert shop.carried(goal).fates == {Fate.MEANWHILE: 1, Fate.BACK: 1}
    assert shop.there("customers/ada", "customers/bob") == [
        {"email": "mine@example.com"},
        GOOD["customers/bob"],
    ]
    [entry] = shop.journal()
    assert [one.path for one in entry.landed] == ["customers/bob"]
    assert [one.path for one in entry.left] == ["customers/ada"]


def test_nothing_is_written_without_a_copy() -> None:
    """What stood there is in quarantine before the write, and comes out as it was."""
    shop = Shop()
    shop.write({"customers/ada": {"spoilt": 1}})
    goal = shop.goal("customers")

    def gone(verb: str, side: str) -> None:
        if (verb, side) == ("quarantine.keep", "before"):
            raise Unavailable("no bucket answers")

    shop.ports.quarantine.hook = gone
    with pytest.raises(Unavailable):
        shop.rewriting.portion(STEP, goal, Position())
    assert shop.there("customers/ada") == [{"spoilt": 1}]

    shop.ports.quarantine.hook = no_hook
    shop.carried(goal)
    [entry] = shop.journal()
    [change] = quarantine.unpacked(shop.ports.quarantine.read(entry.kept))
    assert change.before is not None
    assert (change.before.fields, change.after) == ({"spoilt": 1}, GOOD["customers/ada"])


def test_without_a_bucket_nothing_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is a no, and not tried again."""
    shop = Shop()
    shop.write({"customers/ada": {"spoilt": 1}})
    monkeypatch.setattr(shop.ports, "quarantine", None)
    with pytest.raises(Rejected, match="no bucket"):
        shop.repair("customers")


@pytest.mark.parametrize("verb", ["rewrites.rewrite", "store.commit", "quarantine.keep"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_batch_that_is_done_again_finds_what_it_has_done(verb: str, side: str) -> None:
    """Whatever answer was lost: each document is written once, and named by the journal."""
    shop = Shop()
    spoilt = {f"customers/{n:04}": {"spoilt": 1} for n in range(9)}
    shop.write({path: {"email": "e"} for path in spoilt})
    shop.pass_time()
    shop.write(dict(spoilt))
    goal = shop.goal("customers")

    def lost(asked: str, at: str) -> None:
        if (asked, at) == (verb, side):
            for fake in (shop.ports.rewritten, shop.ports.store, shop.ports.quarantine):
                fake.hook = no_hook
            raise Ambiguous("the answer was lost")

    for fake in (shop.ports.rewritten, shop.ports.store, shop.ports.quarantine):
        fake.hook = lost
    with pytest.raises(Ambiguous):
        shop.rewriting.portion(STEP, goal, Position())

    assert shop.carried(goal).fates == {Fate.BACK: 9}
    assert sorted(shop.ports.rewritten.written) == sorted(spoilt)
    assert shop.landed() == set(spoilt)
    assert len(shop.journal()) == 1


def dies(shop: Shop, goal: Goal, commit: int) -> None:
    """A portion of it, until that commit into the journal gets no answer, and is not made."""
    commits: list[str] = []

    def gone(verb: str, side: str) -> None:
        if (verb, side) == ("store.commit", "before"):
            commits.append(verb)
            if len(commits) == commit:
                raise Unavailable("dead")

    shop.ports.store.hook = gone
    with pytest.raises(Unavailable):
        shop.rewriting.portion(STEP, goal, Position())
    shop.ports.store.hook = no_hook


def spoilt_within_a_minute() -> Shop:
    """Of whom another version passes, once only whole minutes can be read."""
    shop = Shop()
    for fields in ({"email": "new@example.com"}, {"spoilt": 1}):
        shop.ports.clock.advance(timedelta(seconds=30))
        shop.write({"customers/ada": fields})
    return shop


def test_what_was_meant_before_a_crash_counts_whatever_is_decided_after_it() -> None:
    """Who goes on finds another version; what stands there was written by us, and is told so."""
    shop = spoilt_within_a_minute()
    goal = shop.goal("customers")
    dies(shop, goal, 2)
    shop.ports.clock.advance(timedelta(hours=2))
    [batch] = Mending(shop.ports, SHOP, goal).batches(Position())
    [other] = [one.wanted for one in batch.fated]
    assert other is not None
    assert other.fields == GOOD["customers/ada"]

    assert shop.carried(goal).fates == {Fate.BACK: 1}
    assert shop.there("customers/ada") == [{"email": "new@example.com"}]
    [entry] = shop.journal()
    assert ([one.path for one in entry.landed], entry.left) == (["customers/ada"], ())
    [change] = quarantine.unpacked(shop.ports.quarantine.read(entry.kept))
    assert change.after == {"email": "new@example.com"}


def test_what_was_not_written_before_a_crash_is_written_as_it_is_decided_now() -> None:
    """And the copy on record tells of that one: an undo compares with it."""
    shop = spoilt_within_a_minute()
    goal = shop.goal("customers")
    shop.may_go_on = lambda deadline: False
    with pytest.raises(Unavailable):
        shop.rewriting.portion(STEP, goal, Position())
    shop.may_go_on = lambda deadline: True
    shop.ports.clock.advance(timedelta(hours=2))

    assert shop.carried(goal).fates == {Fate.BACK: 1}
    assert shop.there("customers/ada") == [GOOD["customers/ada"]]
    [entry] = shop.journal()
    [change] = quarantine.unpacked(shop.ports.quarantine.read(entry.kept))
    assert change.after == GOOD["customers/ada"]


def test_what_landed_is_not_forgotten_when_a_batch_is_done_again() -> None:
    """The application has written it since, or nothing is to be done now: it was written by us."""
    shop = spoilt_within_a_minute()
    goal = shop.goal("customers")
    shop.rewriting.portion(STEP, goal, Position())
    [before] = shop.journal()
    shop.write({"customers/ada": {"email": "mine@example.com"}})
    shop.carried(goal)
    assert shop.journal() == [before]

    shop.carried(replace(goal, at=shop.before))  # as though nothing were wrong there
    assert shop.journal() == [before]
    assert shop.there("customers/ada") == [{"email": "mine@example.com"}]


def test_many_documents_are_gone_through_in_portions() -> None:
    """What was done counts, whatever stops it; it goes on behind it, and misses none."""
    shop = Shop()
    many = {f"customers/{n:05}": {"email": "e"} for n in range(3 * CHUNK)}
    shop.write(dict(many))
    shop.pass_time()
    shop.before = shop.ports.clock.now()
    shop.pass_time()
    spoilt = [path for path in many if path.endswith("7")]
    shop.write({path: {"spoilt": 1} for path in spoilt})
    goal = shop.goal("customers")
    asked: list[datetime] = []

    def twice(deadline: datetime | None) -> bool:
        asked.append(shop.ports.clock.now())
        return len(asked) != 2

    shop.may_go_on = twice
    first = shop.rewriting.portion(STEP, goal, Position())
    assert not first.is_over
    assert first.seen == CHUNK
    with_all = shop.carried(goal)
    assert with_all.seen == 3 * CHUNK + 3
    assert set(shop.ports.rewritten.written) == set(spoilt) == shop.landed()
    assert len(shop.ports.rewritten.written) == len(spoilt)
    assert shop.there(*spoilt) == [{"email": "e"}] * len(spoilt)


def test_few_large_documents_are_in_memory_at_a_time() -> None:
    """As many as both sides of them are not too much; none is left out."""
    shop = Shop()
    text = "x" * 900_000
    good = {f"customers/{n}": {"email": f"{n}@example.com", "text": text} for n in range(7)}
    shop.write(dict(good))
    shop.pass_time()
    shop.before = shop.ports.clock.now()
    shop.pass_time()
    shop.write({path: {"text": text} for path in good})
    goal = shop.goal("customers")

    batches = list(Mending(shop.ports, SHOP, goal).batches(Position()))
    assert [len(one.pairs) for one in batches] == [2, 2, 2, 4]
    assert shop.carried(goal).fates == {Fate.BACK: 7}
    assert shop.landed() == set(good)


@pytest.mark.parametrize("is_refused", [False, True])
def test_no_entry_of_the_journal_is_too_large(
    is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the paths are, and the reasons why documents were left, all are on record."""
    shop = Shop()
    below = f"shelves/{'x' * 1400}/rows/{'y' * 1400}/books"
    paths = [f"{below}/{n:04}" for n in range(CHUNK)]
    shop.write({key: {"n": 1} for key in paths})
    shop.pass_time()
    shop.before = shop.ports.clock.now()
    shop.pass_time()
    shop.write({key: {"n": 2} for key in paths})
    if is_refused:
        refused = Rejected(f"INVALID_ARGUMENT: {paths[0]}")
        monkeypatch.setattr(shop.ports.rewritten, "_landed", lambda _, one: refused)

    fate = Fate.REFUSED if is_refused else Fate.OLDER
    assert shop.repair(below, "all").fates == {fate: CHUNK}
    left = {one.path for entry in shop.journal() for one in entry.left}
    assert (left if is_refused else shop.landed()) == set(paths)
    assert all(len(one.why) <= CHARACTERS for entry in shop.journal() for one in entry.left)


def test_only_what_is_made_again_has_a_deadline() -> None:
    """Any other write names the time at which its document was read: late, it is refused."""
    shop = Shop()
    shop.write({"customers/ada": {"spoilt": 1}, "customers/bob": None})
    goal, now = shop.goal("customers", "all"), shop.ports.clock.now()
    asked: list[datetime | None] = []

    def never(deadline: datetime | None) -> bool:
        asked.append(deadline)
        return False

    shop.may_go_on = never
    for one in (goal, replace(goal, select=repair.parse("document:customers/ada"))):
        with pytest.raises(Unavailable):
            shop.rewriting.portion(replace(STEP, deadline=now), one, Position())
    assert asked == [now, None]


@pytest.mark.parametrize(("path", "waits"), [("customers/bob", True), ("customers/ada", False)])
def test_what_is_made_again_and_not_answered_has_landed_before_anybody_goes_on(
    path: str, waits: bool
) -> None:
    """Or never will: the application may delete it once more in between."""
    shop = Shop()
    shop.write({"customers/ada": {"spoilt": 1}, "customers/bob": None})
    goal = shop.goal("customers", f"document:{path}")

    def lost(verb: str, side: str) -> None:
        raise Ambiguous("no answer")

    shop.ports.rewritten.hook = lost
    began = shop.ports.clock.monotonic()
    with pytest.raises(Ambiguous):
        shop.rewriting.portion(STEP, goal, Position())
    assert (shop.ports.clock.monotonic() - began >= REWRITE_SECONDS) == waits


def test_each_request_is_sent_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one request does not hold is asked about again before the next: each may be late."""
    monkeypatch.setattr("responders.rewriting.REWRITE_BYTES", 1)
    shop = Shop()
    spoilt = {f"customers/{name}": {"spoilt": 1} for name in ("ada", "bob", "eve")}
    shop.write(dict(spoilt))
    goal = shop.goal("customers")
    asked: list[datetime | None] = []

    def once(deadline: datetime | None) -> bool:
        asked.append(deadline)
        return len(asked) == 1

    shop.may_go_on = once
    with pytest.raises(Unavailable):
        shop.rewriting.portion(STEP, goal, Position())
    assert shop.ports.rewritten.written == ["customers/ada"]

    shop.may_go_on = lambda deadline: True
    shop.carried(goal)
    assert shop.ports.rewritten.written == list(spoilt)
    assert shop.landed() == set(spoilt)


def test_pieces_hold_every_document_once() -> None:
    """However a collection is cut."""
    shop = Shop()
    shop.write(
        {path: {"spoilt": 1} for path in ("customers/ada", "customers/bob", "customers/eve")}
    )
    goals = repair.cut(shop.goal("customers"), ["customers/ada", "customers/b"])
    seen = [shop.carried(one).seen for one in goals]
    assert seen == [1, 0, 2]
    assert shop.landed() == {"customers/ada", "customers/bob", "customers/eve"}


def test_who_was_erased_a_moment_ago_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's own list is read before anything is made again."""
    rules = ErasureRules((Place("customers"),), "erased", "who", "done")
    monkeypatch.setattr("tests.test_mending.SHOP", replace(SHOP, erasure=rules))
    shop = Shop()
    goal = shop.goal("customers", "all")
    now = shop.ports.clock.now()
    shop.write({"customers/bob": None, "erased/1": {"who": "ada", "done": now}})
    shop.ports.beside.held[HERE, "erased/1"] = now
    shop.write({"customers/ada": None})
    goal = replace(goal, at=shop.ports.clock.now())
    shop.pass_time()

    assert shop.carried(goal).fates == {Fate.ERASED: 1, Fate.REVIVED: 1}
    assert shop.there("customers/ada", "customers/bob") == [None, GOOD["customers/bob"]]
