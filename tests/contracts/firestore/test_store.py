"""What every Store keeps, over memory and over gRPC in both of Firestore's concurrency modes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from local.services.firestore import Concurrency
from shared.core.errors import Ambiguous, Exists, Moved, Rejected, Throttled
from shared.core.store import SERVER_TIME, Create, Put, Query, Reader, Store, Update, Write
from tests.contracts.support.lost_answers import raises_exactly
from tests.contracts.support.stores import InMemory, StoreWorld, firestore


@pytest.fixture(scope="module")
def worlds() -> Iterator[dict[str, Any]]:
    with firestore(Concurrency.PESSIMISTIC) as locking, firestore(Concurrency.OPTIMISTIC) as open_:
        yield {"memory": InMemory, "pessimistic": locking, "optimistic": open_}


@pytest.fixture(params=["memory", "pessimistic", "optimistic"])
def world(request: pytest.FixtureRequest, worlds: dict[str, Any]) -> Iterator[StoreWorld]:
    made: StoreWorld = worlds[request.param]()
    yield made
    made.calm()


@pytest.fixture
def store(world: StoreWorld) -> Store:
    return world.store


def fields(store: Store, path: str) -> dict[str, Any]:
    found = store.get(path).fields
    assert found is not None
    return found


def create_counter(store: Store) -> datetime:
    """The document `a/b` counts from 0; its version."""
    return store.commit([Create("a/b", {"n": 0})])


def test_an_absent_document(store: Store) -> None:
    """No document has no fields and no version, and the store says when it looked."""
    document = store.get("rollbacks/none")

    assert (document.path, document.fields, document.version) == ("rollbacks/none", None, None)
    assert document.read_at.tzinfo is UTC


def test_values_of_every_kind_come_back_as_they_went_in(store: Store) -> None:
    """What is stored is what is read: types too, with tuples as lists and times in UTC."""
    paris = timezone(timedelta(hours=1))
    stored: dict[str, Any] = {
        "nothing": None,
        "yes": True,
        "one": 1,
        "large": 2**63 - 1,
        "float": 1.0,
        "text": "é\u2028",
        "bytes": b"\0\xff",
        "time": datetime(2026, 3, 1, 13, 0, 0, 123456, tzinfo=paris),
        "map": {"a.b": {"empty": {}}, "list": []},
        "list": ({"inner": ("x", 1)}, None, "y"),
    }
    store.commit([Create("a/b", stored)])

    read = fields(store, "a/b")

    assert read == {
        **stored,
        "time": datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
        "list": [{"inner": ["x", 1]}, None, "y"],
    }
    assert [type(read[name]) for name in ("yes", "one", "float")] == [bool, int, float]
    assert type(read["time"]) is datetime
    assert read["time"].tzinfo is UTC


def test_server_time_is_the_time_of_the_commit_at_any_depth(store: Store) -> None:
    """Every SERVER_TIME of a commit is one and the same time, on create, update and put."""
    store.commit([Create("a/b", {"at": SERVER_TIME, "deep": {"er": {"at": SERVER_TIME}, "n": 1}})])
    created = fields(store, "a/b")
    assert created["deep"] == {"er": {"at": created["at"]}, "n": 1}

    store.commit([Update("a/b", {"deep": {"at": SERVER_TIME}}), Put("a/c", {"at": SERVER_TIME})])

    assert fields(store, "a/b") == {"at": created["at"], "deep": {"at": fields(store, "a/c")["at"]}}


def test_a_commit_answers_the_version_of_what_it_changed(store: Store) -> None:
    """The version that a commit returns is the precondition that the next one needs."""
    version = store.commit([Create("a/b", {"n": 0}), Create("a/c", {"n": 0})])
    assert store.get("a/b").version == store.get("a/c").version == version

    later = store.commit([Update("a/b", {"n": 1}, version)])

    assert later > version
    assert store.get("a/b").version == later
    assert store.get("a/c").version == version


def test_a_create_of_what_is_there_applies_nothing(store: Store) -> None:
    """A batch with one failed create leaves no trace."""
    store.commit([Create("a/there", {"n": 0})])

    with pytest.raises(Exists):
        store.commit([Create("a/new", {}), Create("a/there", {"n": 1})])

    assert store.get("a/new").fields is None
    assert fields(store, "a/there") == {"n": 0}


def test_an_update_of_what_has_changed_applies_nothing(store: Store) -> None:
    """A batch whose version is stale leaves no trace, and does not look like Exists."""
    stale = create_counter(store)
    store.commit([Update("a/b", {"n": 1}, stale)])

    with raises_exactly(Moved):
        store.commit([Create("a/receipt", {}), Update("a/b", {"n": 2}, stale)])

    assert store.get("a/receipt").fields is None
    assert fields(store, "a/b") == {"n": 1}


@pytest.mark.parametrize("versioned", [True, False])
def test_an_update_of_nothing(store: Store, versioned: bool) -> None:
    """A document that is not there has moved, with a version and without."""
    version = store.commit([Create("a/other", {})])

    with raises_exactly(Moved):
        store.commit([Update("a/none", {"n": 1}, version if versioned else None)])

    assert store.get("a/none").fields is None


def test_an_update_replaces_its_fields_and_no_others(store: Store) -> None:
    """A named map is replaced whole; a field's name is a name, whatever is in it."""
    store.commit([Create("a/b", {"map": {"old": 1}, "kept": 1, "x.y": 0, "`": 0, "9": 0})])

    store.commit([Update("a/b", {"map": {"new": {}}, "x.y": 1, "`": 1, "é": 1})])

    assert fields(store, "a/b") == {"map": {"new": {}}, "kept": 1, "x.y": 1, "`": 1, "9": 0, "é": 1}


def test_an_update_of_server_times_alone_keeps_the_rest(store: Store) -> None:
    """An update without plain fields is still no replacement."""
    store.commit([Create("a/b", {"kept": 1})])

    store.commit([Update("a/b", {"at": SERVER_TIME})])

    assert set(fields(store, "a/b")) == {"kept", "at"}


def test_a_put_leaves_nothing_of_what_was_there(store: Store) -> None:
    """A put needs nothing and keeps nothing."""
    store.commit([Put("a/b", {"old": 1})])

    store.commit([Put("a/b", {"new": 1})])

    assert fields(store, "a/b") == {"new": 1}


def test_a_write_that_changes_nothing_keeps_the_version(store: Store) -> None:
    """A fence needs a field that always changes: an equal write does not move the version."""
    version = create_counter(store)

    assert store.commit([Update("a/b", {"n": 0}, version)]) == version

    assert store.get("a/b").version == version


def test_a_version_from_the_future(store: Store) -> None:
    """A version that cannot have been read is refused for good."""
    version = create_counter(store)

    with pytest.raises(Rejected):
        store.commit([Update("a/b", {"n": 1}, version + timedelta(days=1))])


def test_two_writes_to_one_document_in_a_commit_follow_each_other(store: Store) -> None:
    """The second write of a batch finds what the first one left."""
    store.commit([Create("a/b", {"n": 0}), Update("a/b", {"m": 1})])

    assert fields(store, "a/b") == {"n": 0, "m": 1}


@pytest.mark.parametrize(
    "value",
    [[["list in list"]], [SERVER_TIME], [{"deep": SERVER_TIME}], 2**63, "x" * 1024 * 1024],
    ids=["nested list", "time in list", "time in map in list", "integer", "size"],
)
def test_a_value_that_the_service_refuses(store: Store, value: Any) -> None:
    """What Firestore does not take is Rejected, and nothing is written."""
    with pytest.raises(Rejected):
        store.commit([Create("a/b", {"value": value})])

    assert store.get("a/b").fields is None


@pytest.mark.parametrize("value", [{1}, timedelta(1), datetime(2026, 3, 1)])
def test_a_value_that_is_no_value(store: Store, value: Any) -> None:
    """A programmer's slip is a TypeError, not an answer of the store."""
    with pytest.raises(TypeError):
        store.commit([Create("a/b", {"value": value})])


@pytest.mark.parametrize("path", ["a", "a/b/c", "a//c"])
def test_a_path_that_names_no_document(store: Store, path: str) -> None:
    """A document's path alternates collections and ids."""
    with pytest.raises(Rejected):
        store.commit([Create(path, {})])


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def stored_rollbacks(store: Store) -> None:
    rows: dict[str, dict[str, Any]] = {
        "r1": {"due_at": NOON + MINUTE, "status": "RUNNING", "n": 1, "lease": {"holder": "x"}},
        "r2": {"due_at": NOON, "status": "PARKED", "n": True},
        "r3": {"due_at": None, "status": "RUNNING", "n": 1.0},
        "r4": {"due_at": NOON - MINUTE, "status": "RUNNING", "n": "1"},
        "r5": {"status": "RUNNING"},
        "r6": {"due_at": NOON, "status": "RUNNING", "n": 3},
    }
    store.commit([Create(f"rollbacks/{name}", row) for name, row in rows.items()])
    store.commit([Create("rollbacks/r1/steps/s1", {"due_at": NOON, "status": "RUNNING"})])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query("rollbacks"), "r1 r2 r3 r4 r5 r6"),
        (Query("rollbacks", limit=2), "r1 r2"),
        (Query("rollbacks/r1/steps"), "s1"),
        (Query("rollbacks/r2/steps"), ""),
        (Query("rollbacks", order_by="due_at"), "r3 r4 r2 r6 r1"),
        (Query("rollbacks", (("due_at", "<=", NOON),)), "r4 r2 r6"),
        (Query("rollbacks", (("due_at", "<=", NOON),), "due_at", 1), "r4"),
        (Query("rollbacks", (("due_at", ">", NOON),)), "r1"),
        (Query("rollbacks", (("due_at", ">=", NOON), ("status", "==", "RUNNING"))), "r6 r1"),
        (Query("rollbacks", (("due_at", "==", None),)), "r3"),
        (Query("rollbacks", (("n", "==", 1),)), "r1 r3"),
        (Query("rollbacks", (("n", "<", 3),)), "r1 r3"),
        (Query("rollbacks", (("n", "==", True),)), "r2"),
        (Query("rollbacks", (("lease.holder", "==", "x"),)), "r1"),
    ],
)
def test_a_query(store: Store, query: Query, found: str) -> None:
    """A query finds by value and type, in order, in its own collection only."""
    stored_rollbacks(store)

    documents = store.query(query)

    assert " ".join(document.path.rpartition("/")[2] for document in documents) == found
    for document in documents[:1]:
        alone = store.get(document.path)
        assert (document.fields, document.version) == (alone.fields, alone.version)


def test_a_transaction_commits_what_it_decided_on_what_it_read(store: Store) -> None:
    """Reads and writes of a transaction are one act."""
    store.commit([Create("a/b", {"n": 1}), Create("list/x", {"n": 2})])

    def work(reader: Reader) -> Sequence[Write]:
        found = reader.get("a/b")
        total = sum((one.fields or {})["n"] for one in reader.query(Query("list")))
        return [Update("a/b", {"n": total}, found.version), Create("a/new", {})]

    version = store.transact(work)

    assert fields(store, "a/b") == {"n": 2}
    assert store.get("a/new").version == version


def test_a_transaction_without_writes(store: Store) -> None:
    """Nothing to write is no commit."""
    store.commit([Create("a/b", {"n": 1})])

    assert store.transact(lambda reader: [] if reader.get("a/b").fields else [Put("a/c", {})]) is None


def test_a_transaction_whose_work_raises(store: Store) -> None:
    """What the work raises comes out as it is, and nothing is held or written behind it."""

    def work(reader: Reader) -> Sequence[Write]:
        reader.get("a/b")
        raise KeyError("reason")

    with pytest.raises(KeyError, match="reason"):
        store.transact(work)

    store.commit([Create("a/b", {})])


def test_a_transaction_whose_create_exists(store: Store) -> None:
    """A failed precondition is no contention: the work is not run again."""
    store.commit([Create("a/b", {})])
    runs = []

    def work(reader: Reader) -> Sequence[Write]:
        runs.append(1)
        return [Create("a/b", {"n": 1})]

    with pytest.raises(Exists):
        store.transact(work)

    assert runs == [1]


def increment(reader: Reader) -> Sequence[Write]:
    count = (reader.get("a/b").fields or {})["n"]
    return [Update("a/b", {"n": count + 1})]


def test_a_transaction_that_others_disturb(world: StoreWorld) -> None:
    """Contention runs the work again, on what is there now."""
    create_counter(world.store)
    world.contend("a/b", times=2)

    world.store.transact(increment)

    assert fields(world.store, "a/b")["n"] == 1


def test_a_transaction_that_others_disturb_without_end(world: StoreWorld) -> None:
    """Contention that does not end is Throttled, with nothing applied."""
    create_counter(world.store)
    world.contend("a/b", times=100)

    with pytest.raises(Throttled):
        world.store.transact(increment)

    assert fields(world.store, "a/b")["n"] == 0


def test_a_create_whose_answer_is_lost(world: StoreWorld) -> None:
    """A lost answer is Ambiguous; the identical commit then finds that it was applied."""
    writes = [Create("a/b", {"n": 0}), Create("a/receipt", {"commit": "c1"})]
    world.lose_next_answer()

    with pytest.raises(Ambiguous):
        world.store.commit(writes)
    with pytest.raises(Exists):
        world.store.commit(writes)

    assert fields(world.store, "a/receipt") == {"commit": "c1"}


def test_an_update_whose_answer_is_lost(world: StoreWorld) -> None:
    """The identical conditional update finds the version moved, by itself."""
    version = create_counter(world.store)
    writes = [Update("a/b", {"n": 1}, version)]
    world.lose_next_answer()

    with pytest.raises(Ambiguous):
        world.store.commit(writes)
    with pytest.raises(Moved):
        world.store.commit(writes)

    assert fields(world.store, "a/b") == {"n": 1}


def test_a_transaction_whose_answer_is_lost_is_not_run_again(world: StoreWorld) -> None:
    """Only its caller can tell whether a transaction was applied."""
    create_counter(world.store)
    world.lose_next_answer()

    with pytest.raises(Ambiguous):
        world.store.transact(increment)

    assert fields(world.store, "a/b") == {"n": 1}
