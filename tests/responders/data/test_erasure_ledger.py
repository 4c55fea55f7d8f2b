"""The ledger of erased people: who is in it stays erased in what is restored, by a hash alone."""

import gc
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from msgspec.structs import replace

from responders.data import copy_erasure, erasure_ledger
from responders.data.copy_erasure import DatabaseCopyEraser
from responders.data.erasure_ledger import (
    ENTRIES_PER_COMMIT,
    READ_OVERLAP,
    READ_TIME_LIMIT_SECONDS,
    read_ledger,
    update_due_ledgers,
    update_ledger,
)
from shared.core.codec import decode, encode
from shared.core.errors import Ambiguous, Unavailable
from shared.core.store import Document, Put, Query, Write
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.document import DocumentSnapshot, Reference
from shared.domain.data.erasure.ledger import (
    Erasure,
    ErasureLedgerRecord,
    ErasureProgress,
    erasure_path,
    has_erased_person,
    hash_person,
    ledger_path,
    person_ids,
)
from shared.domain.data.repair.repair_plan import WHOLE_DATABASE
from shared.domain.policy.data_rules import ErasureRules, Place
from tests.support.data.restore_tests import HERE, MINUTE, POLICY, THERE, only_proof
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.system_events import pass_time, refusal_reasons
from tests.support.runtime.world import World

HOUR = timedelta(hours=1)
RULES = ErasureRules(
    documents=(Place("customers"), Place("orders", field="customer")),
    collection="erased",
    person="who",
    erased_at="done",
)
BOOK = ErasureLedgerRecord("bookshop", "salt", START)
ADA = {"email": "ada@example.com"}


def world(rules: ErasureRules = RULES) -> World:
    """Two customers with an order each; what stands below one of them belongs to her too."""
    made = World(policy=replace(POLICY, erasure=rules))
    made.ports.mirrors.buckets = {HERE: {}, THERE: {}}
    documents: dict[str, Any] = {
        "customers/ada": ADA,
        "customers/ada/notes/1": {"text": "likes tea"},
        "customers/bob": {"email": "bob@example.com"},
        "orders/1": {"status": "open", "customer": "ada"},
        "orders/2": {"status": "open", "customer": "bob"},
    }
    made.ports.kept.write(ORIGINAL, documents)
    made.ports.databases.hold_documents(ORIGINAL, customers=2, orders=2)
    made.advance_clock(MINUTE)
    return made


def book(world: World) -> ErasureLedgerRecord:
    return decode(ErasureLedgerRecord, world.store.get(ledger_path("bookshop")).fields)


def ledger(world: World) -> list[Erasure]:
    return [decode(Erasure, one.fields) for one in world.store.query(Query("erasures"))]


def erase(world: World, person: str) -> None:
    """By command, as the prompt sends it."""
    hashed = hash_person(book(world).salt, person)
    world.carry_out("erase", person=hashed)


def seen(shop: World) -> list[str]:
    """The documents that were there when the copy was looked through, and ever after."""
    found: list[str] = []

    def look(verb: str, side: str) -> None:
        if (verb, side) == ("restores.delete", "before") and not found:
            [name] = shop.ports.filled.ever
            everything = shop.ports.kept.collections(name, None)
            assert everything == sorted({path.partition("/")[0] for path in remaining(shop, name)})
            found.extend(remaining(shop, name))

    shop.ports.filled.hook = look
    pass_time(shop, 20 * MINUTE)
    return found


def remaining(shop: World, database: str) -> list[str]:
    known = ["customers/ada", "customers/ada/notes/1", "customers/bob", "orders/1", "orders/2"]
    return sorted(shop.ports.kept.existing(database, known, None))


def test_whoever_is_erased_after_a_backup_is_not_in_what_is_restored() -> None:
    """With all that stands below, and what names them; the proof knows that it had to be less."""
    shop = world()
    pass_time(shop, 2 * MINUTE)
    erase(shop, "ada")

    assert seen(shop) == ["customers/bob", "orders/2"]
    assert (only_proof(shop).status, only_proof(shop).faults) == (FillStatus.PROVEN, ())
    assert only_proof(shop).purge.removed == {"customers": 1, "notes": 1, "orders": 1}


def test_the_ledger_names_nobody() -> None:
    """Neither the person nor what they were called stands anywhere in the state."""
    shop = world()
    pass_time(shop, MINUTE)
    erase(shop, "ada")

    [entry] = ledger(shop)
    assert entry.places == ("customers/{person}", "orders where customer is {person}")
    assert entry.hash == hash_person(book(shop).salt, "ada")
    kept = str(shop.documents)
    assert "'ada'" not in kept
    assert "/ada" not in kept


def test_whom_the_application_has_erased_is_read_from_its_own_collection() -> None:
    """Once it says when; what is not done yet is read when it is."""
    shop = world()
    shop.ports.kept.write(ORIGINAL, {"erased/1": {"who": "ada", "done": shop.now}})
    shop.ports.kept.write(ORIGINAL, {"erased/2": {"who": "bob"}})
    held, clock = shop.ports.beside.held, shop.ports.clock
    held |= dict.fromkeys([(ORIGINAL, "erased/1"), (ORIGINAL, "erased/2")], clock.now())
    pass_time(shop, MINUTE)

    [entry] = ledger(shop)
    assert entry.hash == hash_person(book(shop).salt, "ada")

    done = {"who": "bob", "done": clock.now()}
    held[ORIGINAL, "erased/2"] = clock.now()
    shop.ports.kept.write(ORIGINAL, {"erased/2": done})
    pass_time(shop, HOUR + 2 * MINUTE)

    assert len(ledger(shop)) == 2


def test_two_instances_that_read_at_once() -> None:
    """Whom the later one has read is in the ledger, though the other has written first."""
    shop = world()
    pass_time(shop, MINUTE)
    store, now = shop.store, shop.now
    shop.ports.kept.write(ORIGINAL, {"erased/1": {"who": "ada", "done": now}})
    shop.ports.beside.held[ORIGINAL, "erased/1"] = now

    def other_writes_first() -> None:
        read = replace(book(shop), read_until=now - READ_OVERLAP)
        store.commit([Put(ledger_path("bookshop"), encode(read))])

    store.hook = run_once("store.commit", "before", other_writes_first)
    update_ledger(shop.ports, shop.policy)

    assert [one.hash for one in ledger(shop)] == [hash_person(book(shop).salt, "ada")]


def said_to_be_erased(shop: World, **told: tuple[str, datetime]) -> None:
    """By the application, now: each of these documents names a person and a moment."""
    for name, (who, done) in told.items():
        shop.ports.kept.write(ORIGINAL, {f"erased/{name}": {"who": who, "done": done}})
        shop.ports.beside.held[ORIGINAL, f"erased/{name}"] = shop.now


def test_an_older_erasure_that_is_read_later() -> None:
    """Whoever came back and was erased again stays erased, whatever is read of the first time."""
    shop = world()
    pass_time(shop, 2 * MINUTE)
    first = shop.now
    said_to_be_erased(shop, a=("ada", first))
    shop.advance_clock(5 * MINUTE)
    erase(shop, "ada")
    [by_command] = ledger(shop)
    pass_time(shop, HOUR + 2 * MINUTE)

    assert by_command.erased_at > first
    assert ledger(shop) == [by_command]


def test_several_erasures_of_a_person() -> None:
    """The last one counts, in whatever order their documents lie, and however often it is read."""
    shop = world()
    now = shop.now
    said_to_be_erased(shop, a=("ada", now - 2 * HOUR), b=("ada", now - HOUR), c=("ada", now - 3 * HOUR))
    pass_time(shop, 2 * MINUTE)
    [entry] = ledger(shop)
    assert entry.erased_at == now - HOUR

    said_to_be_erased(shop, a=("ada", now - 3 * HOUR))
    update_ledger(shop.ports, shop.policy)
    [entry] = ledger(shop)
    assert entry.erased_at == now - HOUR


def test_two_that_write_the_same_person_at_once() -> None:
    """The last erasure counts, whoever writes first."""
    shop = world()
    pass_time(shop, 2 * MINUTE)
    now, store = shop.now, shop.store
    said_to_be_erased(shop, a=("ada", now))

    def other_writes_first() -> None:
        shop.advance_clock(MINUTE)
        erase(shop, "ada")

    store.hook = run_once("store.commit", "before", other_writes_first)
    update_ledger(shop.ports, shop.policy)

    [entry] = ledger(shop)
    assert entry.erased_at == now + MINUTE
    assert not book(shop).cursor
    assert book(shop).read_until == now - READ_OVERLAP


MANY = 2500


def many_erased(shop: World) -> list[int]:
    """More than any one commit takes; how many writes each commit of the store has."""
    now, sizes = shop.now, list[int]()
    shop.ports.kept.write(
        ORIGINAL, {f"erased/{n:05}": {"who": f"user-{n}", "done": now} for n in range(MANY)}
    )
    commit = shop.store.commit

    def counted(writes: Sequence[Write]) -> datetime:
        sizes.append(len(writes))
        return commit(writes)

    shop.store.commit = counted  # type: ignore[method-assign]  # it is counted, and done
    return sizes


def test_however_many_the_application_has_erased() -> None:
    """Commits stay small, and what takes too long is gone on with where it was cut short."""
    shop = world()
    sizes = many_erased(shop)
    shop.ports.kept.seconds_each = 0.02
    before = shop.ports.kept.reads
    looks = 0
    while looks == 0 or book(shop).cursor:
        update_due_ledgers(shop.ports, {"bookshop": shop.policy})
        looks += 1

    assert looks == MANY * 0.02 // READ_TIME_LIMIT_SECONDS + 1
    assert len(ledger(shop)) == MANY
    known = read_ledger(shop.ports, shop.policy)
    assert known is not None
    assert len(known.erased) == MANY
    assert read_ledger(shop.ports, replace(shop.policy, system="another")) is None
    assert max(sizes) <= ENTRIES_PER_COMMIT + 1
    assert shop.ports.kept.reads - before <= MANY + 1


def test_too_many_to_be_read_at_once() -> None:
    """Whoever must know them all waits; nothing is written by a ledger that is not whole."""
    shop = world()
    many_erased(shop)
    shop.ports.kept.seconds_each = 0.02
    with pytest.raises(Unavailable, match="too many were erased"):
        update_ledger(shop.ports, shop.policy)


def test_of_a_long_ledger_a_page_is_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each portion of a repair reads all of it, several beside each other in a small instance."""
    monkeypatch.setattr(erasure_ledger, "ENTRIES_PER_QUERY", 100)
    shop = world()
    pass_time(shop, 2 * MINUTE)
    names = [f"{n:064x}" for n in range(1000)]
    for name in names:
        entry = encode(Erasure("bookshop", name, START, ()))
        shop.store.commit([Put(erasure_path("bookshop", name), entry)])
    ask, alive = shop.store.query, list[int]()

    def counted(query: Query) -> list[Document]:
        alive.append(sum(isinstance(one, Document) for one in gc.get_objects()))
        return ask(query)

    shop.store.query = counted  # type: ignore[method-assign]  # it is counted, and done
    known = read_ledger(shop.ports, shop.policy)

    assert known is not None
    assert known.erased == dict.fromkeys(names, START)
    assert max(alive) <= min(alive) + 2 * 100


def test_an_instance_that_dies_in_the_middle_of_reading() -> None:
    """Whoever it had not come to is read by the next one."""
    shop = world()
    many_erased(shop)
    died: list[str] = []

    def dies(verb: str, side: str) -> None:
        if (verb, side) == ("store.commit", "before") and len(ledger(shop)) > MANY / 2 and not died:
            died.append(verb)
            raise KeyboardInterrupt

    shop.store.hook = dies
    with pytest.raises(KeyboardInterrupt):
        update_due_ledgers(shop.ports, {"bookshop": shop.policy})
    update_due_ledgers(shop.ports, {"bookshop": shop.policy})

    assert died
    assert len(ledger(shop)) == MANY


def test_an_instance_that_dies_in_the_middle_of_taking_out() -> None:
    """The next one goes on: nothing of them is left, and nothing else is gone."""
    shop = world()
    pass_time(shop, 2 * MINUTE)
    erase(shop, "ada")
    cut: list[str] = []

    def lose(verb: str, side: str) -> None:
        if (verb, side) == ("restores.remove", "before") and len(cut) < 2:
            cut.append(verb)
            raise Ambiguous("cut")

    shop.ports.filled.hook = lose
    pass_time(shop, 25 * MINUTE)

    assert only_proof(shop).status is FillStatus.PROVEN
    assert len(cut) == 2


BELOW_NOTHING = (
    "customers/ada/threads/gone/messages/1",
    "customers/cleo/notes/1",
    "orders/1/parcels/gone/labels/1",
)
"""Documents below others that are none: of Ada, of Cleo, of Ada."""


def opened(shop: World) -> DatabaseCopyEraser:
    """A copy of now, of a shop whose Ada and Cleo have been erased since."""
    shop.ports.kept.write(ORIGINAL, {path: {"n": 1} for path in (*BELOW_NOTHING, "prices/1")})
    shop.ports.kept.write("copy", shop_documents(shop))
    at = shop.now
    pass_time(shop, 2 * MINUTE)
    erase(shop, "ada")
    erase(shop, "cleo")
    return DatabaseCopyEraser(shop.ports, shop.policy, "copy", at)


def shop_documents(shop: World) -> dict[str, dict[str, Any] | None]:
    found = shop.ports.kept.stream(ORIGINAL, WHOLE_DATABASE, None)
    return {one.path: one.fields for one in found}


def left(shop: World) -> list[str]:
    return list(shop.ports.kept.paths("copy", WHOLE_DATABASE, None))


def test_what_stands_below_a_document_that_is_none() -> None:
    """Whose it is, the names above it say, though nothing else is there of them."""
    shop = world()
    progress = opened(shop).erase_people(ErasureProgress(), 60.0)

    assert left(shop) == ["customers/bob", "orders/2", "prices/1"]
    assert progress.is_over
    assert progress.removed == {"customers": 1, "labels": 1, "messages": 1, "notes": 2, "orders": 1}


def test_what_was_gone_through_counts_whatever_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream lasts so long and no longer: the next one goes on behind it."""
    monkeypatch.setattr(copy_erasure, "ENTRIES_PER_COMMIT", 1)
    shop = world()
    copy, stream, paths = opened(shop), shop.ports.kept.stream, shop.ports.kept.paths

    def cut(found: Iterator[Any]) -> Iterator[Any]:
        yield from islice(found, 2)
        raise Unavailable("DEADLINE_EXCEEDED")

    with monkeypatch.context() as short:
        short.setattr(shop.ports.kept, "stream", lambda *known: cut(stream(*known)))
        progress = copy.erase_people(ErasureProgress(), 60.0)
    assert (progress.place, progress.cursor) == (1, "orders/2")
    with monkeypatch.context() as short:
        short.setattr(shop.ports.kept, "paths", lambda *known: cut(paths(*known)))
        progress = copy.erase_people(progress, 60.0)
    assert (progress.place, progress.cursor) == (2, "customers/ada/notes/1")
    assert copy.erase_people(progress, 60.0).is_over
    assert left(shop) == ["customers/bob", "orders/2", "prices/1"]


def test_what_leads_to_all_below_it_is_taken_out_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies in between has left what the next one finds it by."""
    monkeypatch.setattr(copy_erasure, "ENTRIES_PER_COMMIT", 1)
    shop = world()
    copy, cut = opened(shop), list[str]()

    def dies(verb: str, side: str) -> None:
        if (verb, side) == ("restores.remove", "after") and not cut:
            cut.append(verb)
            raise KeyboardInterrupt

    shop.ports.filled.hook = dies
    with pytest.raises(KeyboardInterrupt):
        copy.erase_people(ErasureProgress(), 60.0)
    copy.erase_people(ErasureProgress(), 60.0)
    assert left(shop) == ["customers/bob", "orders/2", "prices/1"]


def test_a_system_that_says_nothing_of_persons() -> None:
    """A command for it is refused with the reason."""
    shop = World(policy=replace(POLICY, erasure=None))
    shop.carry_out("erase", person="0" * 64)

    assert ledger(shop) == []
    assert ["no data of persons" in one for one in refusal_reasons(shop)] == [True]


def version(path: str, **fields: Any) -> DocumentSnapshot:
    return DocumentSnapshot(path, fields, START, START)


@pytest.mark.parametrize(
    ("place", "document", "persons"),
    [
        (Place("customers"), version("customers/ada"), ["ada"]),
        (Place("orders", field="customer"), version("orders/1", customer="ada"), ["ada"]),
        (Place("orders", field="customer"), version("orders/1", customer="users/ada"), ["ada"]),
        (
            Place("orders", field="customer"),
            version("orders/1", customer=Reference("projects/p/databases/d/documents/users/ada")),
            ["ada"],
        ),
        (Place("teams", field="members.id"), version("teams/1", members=[{"id": "a"}, {}]), ["a"]),
        (Place("orders", field="customer"), version("orders/1", customer=7), []),
        (Place("orders", field="customer"), version("orders/1"), []),
    ],
)
def test_whom_a_document_may_belong_to(place: Place, document: DocumentSnapshot, persons: list[str]) -> None:
    """By its name or a field, a text or a reference."""
    assert list(person_ids(place, document)) == persons


@pytest.mark.parametrize(
    ("erased_at", "copied_at", "goes"),
    [(START, START, True), (START + MINUTE, START, True), (START, START + MINUTE, False)],
)
def test_who_came_back_stays(erased_at: datetime, copied_at: datetime, goes: bool) -> None:
    """A copy that was made after an erasure holds only what came since."""
    erased = {hash_person(BOOK.salt, "ada"): erased_at}

    assert has_erased_person(["ada"], BOOK, erased, copied_at) is goes
