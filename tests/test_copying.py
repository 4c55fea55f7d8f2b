"""Copies that people ask for: made beside the database, looked through, kept for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared import backing, topics
from shared import copying as copies
from shared import erasure as erasures
from shared.backing import Backup
from shared.copying import Copy, Status
from shared.documents import decode, encode
from shared.erasure import Book
from shared.errors import Ambiguous, Exists, Rejected, Unavailable
from shared.ports import Put, Query
from shared.resources import BackupRules, CopyRules
from shared.restore_point import Source
from shared.versions import Scope
from tests.crash import quick
from tests.fakes.hooks import Hook, no_hook
from tests.fakes.restores import ORIGINAL, TAKES
from tests.world import PROBED, World

BUCKET = "exports"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RULES = BackupRules(copies=CopyRules())
POLICY = replace(quick(), backups=RULES, collections=PROBED.collections, erasure=PROBED.erasure)
DOCUMENTS: dict[str, Any] = {
    "customers/ada": {"email": "ada@example.com"},
    "customers/bob": {"email": "bob@example.com"},
    "orders/1": {"status": "open", "customer": "ada"},
    "orders/2": {"status": "open", "customer": "bob"},
}


def world(rules: BackupRules = RULES, hook: Hook = no_hook) -> World:
    """A shop of two customers with an order each, a day old."""
    made = World(hook, replace(POLICY, backups=rules))
    made.ports.mirrors.buckets = {BUCKET: {}}
    made.ports.kept.write(ORIGINAL, DOCUMENTS)
    made.ports.databases.hold_documents(ORIGINAL, customers=2, orders=2)
    made.ports.clock.advance(DAY)
    pass_time(made, MINUTE)  # the ledger has its salt
    return made


def pass_time(shop: World, span: timedelta) -> None:
    """Time passes, with a tick of the clock in each half minute."""
    until = shop.ports.clock.now() + span
    while shop.ports.clock.now() < until:
        shop.publish(topics.CLOCK, b"{}")
        shop.settle()
        shop.ports.clock.advance(MINUTE / 2)


def ask(shop: World, point: str = "1h") -> None:
    shop.command(command="copy", system="bookshop", restore_point=point)
    shop.settle()


def all_copies(shop: World) -> list[Copy]:
    found = [decode(Copy, one.fields) for one in shop.ports.store.query(Query("copies"))]
    return sorted(found, key=lambda one: one.id)


def copy_of(shop: World) -> Copy:
    [found] = all_copies(shop)
    return found


def told(shop: World) -> list[str]:
    events = shop.ports.store.query(Query("systems/bookshop/audit", order_by="at"))
    names = [str(one.fields["name"]) for one in events if one.fields]
    return [one for one in names if one.startswith("copy.")]


def notified(shop: World) -> list[str]:
    """What people were told, in order, each once."""
    found = shop.ports.store.query(Query("notices"))
    texts = [
        (one.fields["created_at"], one.fields["text"])
        for one in found
        if one.fields and str(one.fields["event"]).startswith("copy.")
    ]
    return list(dict.fromkeys(text for _, text in sorted(texts)))


def refusals(shop: World) -> list[str]:
    letters = [one for one in shop.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    return [str(one.attributes["reason"]) for one in letters]


def documents(shop: World, database: str) -> dict[str, Any]:
    found = shop.ports.kept.get(database, sorted(DOCUMENTS), None)
    return {path: one.fields for path, one in found.items() if one is not None}


def exported(shop: World) -> Backup:
    """A whole export of this minute, in the catalogue."""
    at = shop.ports.clock.now().replace(second=0, microsecond=0)
    begun = replace(backing.begun(POLICY, at, at), bucket=BUCKET)
    shop.ports.databases.begin(ORIGINAL, begun.prefix, at, ())
    shop.ports.clock.advance(5 * MINUTE)
    made = replace(begun, status=backing.Status.KEPT, places=(begun.prefix,))
    shop.ports.store.commit([Put(backing.path(made.id), encode(made))])
    return made


def test_a_minute_of_the_past_becomes_a_database() -> None:
    """As it was then; the original is not touched, and people are told what to do with it."""
    shop = world()
    shop.ports.kept.write(ORIGINAL, {"orders/1": {"status": "broken"}, "orders/2": None})
    before = documents(shop, ORIGINAL)
    ask(shop, "1h")
    pass_time(shop, 15 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.faults, made.is_over) == (Status.READY, (), False)
    assert made.point.source is Source.WINDOW
    assert documents(shop, made.id) == DOCUMENTS
    assert documents(shop, ORIGINAL) == before
    assert made.counts == {"customers": 2, "orders": 2}
    assert told(shop) == ["copy.made", "copy.ready"]
    [text] = notified(shop)
    assert "4 documents as of" in text
    assert "docs/cutover.md" in text
    protect = f"gcloud firestore databases update --database={made.id} --project=bookshop-prod"
    assert f"{protect} --delete-protection" in text


def test_a_native_backup_becomes_a_database() -> None:
    """By its name, though nobody has tried it: that is said."""
    shop = world()
    shop.ports.databases.back_up(ORIGINAL, 30 * DAY)
    shop.ports.clock.advance(10 * DAY)
    ask(shop, shop.ports.databases.backups(ORIGINAL)[0].name)
    pass_time(shop, 15 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.point.source, made.point.is_sure) == (
        Status.READY,
        Source.NATIVE,
        False,
    )
    assert documents(shop, made.id) == DOCUMENTS
    assert "never proven" in notified(shop)[0]


def test_an_export_becomes_a_database() -> None:
    """Where only that is left: the original is gone from Google, and its documents are not."""
    shop = world()
    made_before = exported(shop)
    shop.ports.clock.advance(10 * DAY)
    ask(shop, made_before.id)
    pass_time(shop, 15 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.point.source) == (Status.READY, Source.EXPORT)
    assert (made.asks, made.location) == (1, "nam5")
    assert documents(shop, made.id) == DOCUMENTS


def test_a_copy_that_is_ready_is_a_restore_point() -> None:
    """By its name alone, read as it is."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)

    ask(shop, made.id)

    assert refusals(shop) == [f"{made.id} is a copy already"]


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("30d", "cannot be had; nearest"),
        ("2027-01-01T00:00:00Z", "in the future"),
        ("latest", "no backup is proven"),
        ("nothing", "is none"),
        ("a b", "is not a restore point"),
    ],
)
def test_what_cannot_be_had_is_refused(point: str, reason: str) -> None:
    """With the nearest; nothing is begun."""
    shop = world()
    ask(shop, point)

    [refused] = refusals(shop)
    assert reason in refused
    assert all_copies(shop) == []


def test_where_the_policy_admits_none() -> None:
    """It is refused."""
    shop = world(BackupRules())
    ask(shop)

    assert refusals(shop) == ["bookshop declares no copies (backups.copies)"]


def test_no_more_than_two_are_made_at_once() -> None:
    """Each is paid for; one that is ready holds up nobody."""
    shop = world()
    for _ in range(3):
        ask(shop)
        shop.ports.clock.advance(timedelta(seconds=2))
    assert len(all_copies(shop)) == copies.MOST
    assert "are made now" in refusals(shop)[0]

    pass_time(shop, 15 * MINUTE)
    ask(shop)

    assert len(all_copies(shop)) == copies.MOST + 1


def test_one_command_asks_for_one_copy() -> None:
    """However often it is delivered."""
    shop = world()
    for _ in range(2):
        shop.command(command="copy", system="bookshop", restore_point="1h", id="the-same")
        shop.settle()
        shop.ports.clock.advance(MINUTE)

    assert len(all_copies(shop)) == 1


@pytest.mark.parametrize("stop", ["pause", "freeze"])
def test_a_switch_holds_it_up(stop: str) -> None:
    """Nothing is begun; once it is lifted, the copy is made."""
    shop = world()
    ask(shop)
    until = shop.ports.clock.now() + HOUR
    span = {"until": until.isoformat()} if stop == "freeze" else {}
    shop.command(command=stop, system="bookshop", **span)
    shop.settle()
    pass_time(shop, 5 * MINUTE)
    assert shop.ports.filled.ever == []
    assert "pause or a freeze" in copy_of(shop).waiting

    shop.command(command={"pause": "resume", "freeze": "unfreeze"}[stop], system="bookshop")
    shop.settle()
    pass_time(shop, 15 * MINUTE)

    assert copy_of(shop).status is Status.READY


def pausing(shop: World, place: str) -> Hook:
    """Whoever carries the copy has just done that when a person pauses automation."""
    said: list[str] = []

    def pause(verb: str, side: str) -> None:
        if said or (verb, side) != (place, "after"):
            return
        if all(one.asked_at is None for one in all_copies(shop)):
            return
        said.append(verb)
        shop.command(command="pause", system="bookshop")
        [command] = [one for one in shop.waiting() if one.topic == topics.COMMANDS]
        shop.ports.bus.messages.remove(command)
        shop.deliver(command)

    return pause


@pytest.mark.parametrize(
    ("point", "place", "made"),
    [
        ("window", "store.commit", 0),
        ("native", "store.commit", 0),
        ("export", "store.commit", 0),
        ("export", "restores.create", 1),
    ],
)
def test_a_switch_that_is_set_after_the_intent(point: str, place: str, made: int) -> None:
    """Each effect is preceded by a look: a database is not made, and not filled."""
    shop = world()
    shop.ports.databases.back_up(ORIGINAL, 30 * DAY)
    native = shop.ports.databases.backups(ORIGINAL)[0].name
    ask(shop, {"window": "1h", "native": native}.get(point) or exported(shop).id)
    fake = shop.ports.store if place == "store.commit" else shop.ports.filled
    fake.hook = pausing(shop, place)
    pass_time(shop, 5 * MINUTE)
    assert len(shop.ports.filled.ever) == made
    assert copy_of(shop).waiting.startswith("nothing is begun")
    assert copy_of(shop).operation == ""

    shop.command(command="resume", system="bookshop")
    shop.settle()
    pass_time(shop, 20 * MINUTE)
    assert copy_of(shop).status is Status.READY


def test_an_operation_that_fails_late() -> None:
    """It is told with its reason, and what was begun is deleted."""
    shop = world()
    shop.ports.filled.failures.append("no room")
    ask(shop)
    pass_time(shop, 15 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.is_over) == (Status.FAILED, True)
    assert made.faults == ("it could not be made: no room",)
    assert shop.ports.filled.made == [ORIGINAL]
    assert "no room" in notified(shop)[0]
    assert told(shop) == ["copy.failed", "copy.gone"]


@pytest.mark.parametrize("verb", ["restores.clone", "restores.create"])
def test_without_the_right_it_fails_at_once(verb: str) -> None:
    """Whoever waits for it reads which right is missing."""
    shop = world()
    point = exported(shop).id if verb == "restores.create" else "1h"
    shop.ports.clock.advance(10 * DAY if verb == "restores.create" else MINUTE)

    def refuse(said: str, side: str) -> None:
        if (said, side) == (verb, "before"):
            raise Rejected("PERMISSION_DENIED: a right is missing")

    shop.ports.filled.hook = refuse
    ask(shop, point)
    pass_time(shop, 3 * MINUTE)

    assert copy_of(shop).status is Status.FAILED
    assert "a right is missing" in notified(shop)[0]


def test_an_import_that_is_refused_is_given_up() -> None:
    """A new database may take minutes until it takes one, and not half an hour."""
    shop = world()
    point = exported(shop).id
    shop.ports.clock.advance(10 * DAY)

    def refuse(said: str, side: str) -> None:
        if (said, side) == ("restores.fill", "before"):
            raise Rejected("NOT_FOUND: not yet")

    shop.ports.filled.hook = refuse
    ask(shop, point)
    pass_time(shop, 10 * MINUTE)
    assert copy_of(shop).status is Status.MAKING
    pass_time(shop, 30 * MINUTE)

    assert copy_of(shop).status is Status.FAILED
    assert shop.ports.filled.made == [ORIGINAL]


@pytest.mark.parametrize("point", ["1h", "export"])
def test_a_name_that_somebody_has(point: str) -> None:
    """Their database is neither filled nor deleted."""
    shop = world()
    said = exported(shop).id if point == "export" else point
    shop.ports.clock.advance(6 * DAY + 22 * HOUR if point == "export" else MINUTE)
    ask(shop, said)
    made = copy_of(shop)
    shop.ports.filled.create(made.id, "nam5")
    shop.ports.kept.write(made.id, {"theirs/1": {"n": 1}})
    pass_time(shop, 15 * MINUTE)

    assert copy_of(shop).status is Status.FAILED
    assert "of another origin" in copy_of(shop).faults[0]
    assert made.id in shop.ports.filled.made
    assert list(shop.ports.kept.paths(made.id, Scope("theirs"), None)) == ["theirs/1"]
    assert list(shop.ports.kept.paths(made.id, Scope("customers"), None)) == []


@pytest.mark.parametrize("verb", ["restores.clone", "restores.create", "restores.fill"])
def test_a_lost_answer_makes_no_second_one(verb: str) -> None:
    """A retry finds its own."""
    shop = world()
    lost: list[str] = []

    def lose(said: str, side: str) -> None:
        if (said, side) == (verb, "after") and not lost:
            lost.append(said)
            raise Ambiguous("the answer was lost")

    point = "1h"
    if verb != "restores.clone":
        point = exported(shop).id
        shop.ports.clock.advance(10 * DAY)
    shop.ports.filled.hook = lose
    ask(shop, point)
    pass_time(shop, 20 * MINUTE)

    assert lost
    assert copy_of(shop).status is Status.READY
    assert len(shop.ports.filled.ever) == 1
    assert documents(shop, copy_of(shop).id) == DOCUMENTS


def test_silence_is_waited_for() -> None:
    """What gives no answer is asked again each minute, and told at a glance."""
    shop = world()
    silent = True

    def hush(said: str, side: str) -> None:
        if silent and said in ("restores.look", "restores.find"):
            raise Unavailable("no answer")

    ask(shop)
    pass_time(shop, 2 * MINUTE)
    shop.ports.filled.hook = hush
    pass_time(shop, 10 * MINUTE)
    assert (copy_of(shop).status, copy_of(shop).waiting) == (Status.MAKING, "no answer")
    silent = False
    pass_time(shop, 10 * MINUTE)

    assert copy_of(shop).status is Status.READY


def test_one_that_takes_too_long_is_given_up() -> None:
    """It ends: by its time, told."""
    shop = world(BackupRules(copies=CopyRules(within=TAKES / 2)))
    ask(shop)
    pass_time(shop, 10 * MINUTE)

    assert copy_of(shop).status is Status.FAILED
    assert "not over in time" in notified(shop)[0]
    assert shop.ports.filled.made == [ORIGINAL]


def erase(shop: World, person: str) -> None:
    book = decode(Book, shop.ports.store.get(erasures.book_path("bookshop")).fields)
    hashed = erasures.hashed(book.salt, person)
    shop.command(command="erase", system="bookshop", person=hashed)
    shop.settle()


def test_whoever_was_erased_since_is_not_in_it() -> None:
    """Nor whoever is erased while it is kept; nobody is named."""
    shop = world()
    erase(shop, "ada")
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)
    assert sorted(documents(shop, made.id)) == ["customers/bob", "orders/2"]
    assert "2 documents of people who were erased since then are taken out" in notified(shop)[0]

    erase(shop, "bob")
    pass_time(shop, 3 * MINUTE)

    assert documents(shop, made.id) == {}
    assert copy_of(shop).status is Status.READY
    assert copy_of(shop).counts == {"customers": 0, "orders": 0}
    assert "ada" not in "".join(notified(shop))
    pass_time(shop, 5 * MINUTE)  # gone through once, and not again and again
    purged = copy_of(shop).purged_at
    pass_time(shop, 5 * MINUTE)
    assert copy_of(shop).purged_at == purged


def test_what_is_not_valid_is_told() -> None:
    """A copy of a bad moment is one all the same: people see what they have."""
    shop = world()
    shop.ports.kept.write(ORIGINAL, {"customers/ada": {"email": 7}})
    shop.ports.clock.advance(2 * HOUR)
    ask(shop)
    pass_time(shop, 15 * MINUTE)

    assert copy_of(shop).status is Status.READY
    assert "customers: 1 of 2 are not valid (1 by schema)" in notified(shop)[0]


def test_what_nobody_uses_is_deleted() -> None:
    """Once its time is over, told before and after."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    shop.ports.clock.advance(2 * DAY)
    pass_time(shop, 5 * MINUTE)
    assert len(notified(shop)) == 1
    shop.ports.clock.advance(10 * HOUR)
    pass_time(shop, 5 * MINUTE)
    assert "is deleted at 2026-03-06" in notified(shop)[1]
    assert len(notified(shop)) == 2
    shop.ports.clock.advance(14 * HOUR)
    pass_time(shop, 5 * MINUTE)

    made = copy_of(shop)
    assert (made.status, made.is_over) == (Status.DELETED, True)
    assert made.expires_at is not None
    assert shop.ports.filled.made == [ORIGINAL]
    assert told(shop) == ["copy.made", "copy.ready", "copy.ends", "copy.deleted"]
    assert "is deleted: (default) as of 2026-03-03" in notified(shop)[2]


def test_what_somebody_uses_is_left() -> None:
    """Whoever writes to it has it."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)
    shop.ports.kept.write(made.id, {"orders/3": {"status": "open", "customer": "bob"}})
    shop.ports.clock.advance(3 * DAY)
    pass_time(shop, 5 * MINUTE)

    assert (copy_of(shop).status, copy_of(shop).is_over) == (Status.LEFT, True)
    assert made.id in shop.ports.filled.made
    assert f"gcloud firestore databases delete --database={made.id}" in notified(shop)[-1]


def test_what_is_protected_is_left() -> None:
    """It is tried for an hour, and then it is somebody's."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    made = copy_of(shop)
    shop.ports.filled.protected.add(made.id)
    shop.ports.clock.advance(3 * DAY)
    pass_time(shop, 5 * MINUTE)
    assert copy_of(shop).status is Status.LETTING_GO
    shop.ports.clock.advance(HOUR)
    pass_time(shop, 2 * MINUTE)

    assert copy_of(shop).status is Status.LEFT
    assert made.id in shop.ports.filled.made
    assert "protected" in notified(shop)[-1]


def test_what_a_person_has_deleted_is_gone() -> None:
    """That is no fault of it."""
    shop = world()
    ask(shop)
    pass_time(shop, 15 * MINUTE)
    shop.ports.filled.delete(copy_of(shop).id)
    shop.ports.clock.advance(3 * DAY)
    pass_time(shop, 3 * MINUTE)

    assert copy_of(shop).status is Status.DELETED


def test_no_incident_is_opened_and_no_slot_taken() -> None:
    """An alert is answered as if nobody were copying."""
    shop = world()
    ask(shop)
    pass_time(shop, 2 * MINUTE)
    assert shop.incidents() == []
    shop.deploy_bad()
    shop.alert()
    shop.pass_time(timedelta(minutes=12))

    assert [one.status for one in shop.rollbacks()] == ["SUCCEEDED"]
    assert copy_of(shop).status is Status.READY


def test_a_taken_name_may_be_our_own() -> None:
    """Of a request before, whose operation is not listed yet: it is not called somebody's."""
    shop = world()
    tried: list[str] = []

    def there(said: str, side: str) -> None:
        if said == "restores.clone" and side == "before" and len(tried) < 2:
            tried.append(said)
            raise Unavailable("no answer") if len(tried) == 1 else Exists("ALREADY_EXISTS")

    shop.ports.filled.hook = there
    ask(shop)
    pass_time(shop, 5 * MINUTE)

    assert len(tried) == 2
    assert copy_of(shop).asks == 3
    pass_time(shop, 10 * MINUTE)
    assert copy_of(shop).status is Status.READY
