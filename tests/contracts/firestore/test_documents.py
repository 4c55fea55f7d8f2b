"""What every Documents keeps, in memory and over gRPC to an embedded Firestore."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firestore.documents import FirestoreDocuments
from shared.core.errors import Gone, Rejected, Unavailable
from shared.domain.data.document import DocumentSnapshot, is_document_path, is_same_value, path_sort_key
from shared.domain.policy.document_scope import Scope
from shared.ports.documents import Documents
from tests.contracts.support.application_writes import commit
from tests.contracts.support.databases import EmbeddedFirestore, TimeInMemory
from tests.contracts.support.every_value import EVERYTHING
from tests.contracts.support.lost_answers import refusal
from tests.contracts.support.worlds import both_worlds
from tests.local.support.firestore_admin import DATABASE, World
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.fakes.runtime.clock import START

HERE = "(default)"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
USERS = Scope("users")
ORDERS = Scope("orders", everywhere=True)


class InMemory(TimeInMemory):
    """The fake."""

    def __init__(self) -> None:
        super().__init__()
        self._fake = FakeDocuments(self._clock)
        self.documents: Documents = self._fake

    def write(self, documents: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Let the documents be so; None: gone."""
        self._fake.write(HERE, documents)


class OverTheWire(EmbeddedFirestore):
    """The adapter, and the service behind it."""

    def __init__(self, world: World, clients: Clients) -> None:
        super().__init__(world, clients)
        self._client = clients.firestore
        self.documents: Documents = FirestoreDocuments(clients.firestore, "shop")

    def write(self, documents: Mapping[str, Mapping[str, Any] | None]) -> None:
        commit(self._client, DATABASE, documents)


DocumentsWorld = InMemory | OverTheWire
"""A database, and what an application does to it."""


@pytest.fixture
def wire(served: tuple[World, Clients]) -> OverTheWire:
    return OverTheWire(*served)


world = both_worlds(InMemory)


def minute(world: DocumentsWorld) -> datetime:
    """The next whole minute, which has passed when this returns."""
    world.pass_time(MINUTE)
    at = world.now().replace(second=0, microsecond=0)
    world.pass_time(timedelta(seconds=1))
    return at


def paths(versions: Iterator[DocumentSnapshot]) -> list[str]:
    return [one.path for one in versions]


def test_a_version_holds_all_that_was_written(world: DocumentsWorld) -> None:
    """Every type of value comes back as it was, and goes back as it came."""
    world.write({"users/ada": EVERYTHING})
    [first] = world.documents.stream(HERE, USERS, None)
    assert is_same_value(first.fields, EVERYTHING)

    world.write({"users/bob": first.fields})
    read = world.documents.get(HERE, ["users/bob"], None)["users/bob"]
    assert read is not None
    assert is_same_value(read.fields, EVERYTHING)


def test_a_moment_stays_as_it_was(world: DocumentsWorld) -> None:
    """Written, changed, deleted and made since: at a moment of the past nothing of that shows."""
    began = world.now()
    world.write({"users/ada": {"n": 1}, "users/bob": {"n": 1}})
    at = minute(world)
    world.write({"users/ada": {"n": 2}, "users/bob": None, "users/eve": {"n": 1}})
    changed = world.now()

    then = list(world.documents.stream(HERE, USERS, at))
    assert [(one.path, one.fields) for one in then] == [("users/ada", {"n": 1}), ("users/bob", {"n": 1})]
    assert began <= then[0].created_at == then[0].updated_at <= at
    asked = ["users/bob", "users/eve"]
    assert world.documents.get(HERE, asked, at)["users/eve"] is None
    assert world.documents.get(HERE, ["users/eve"], at) == {"users/eve": None}
    assert world.documents.get(HERE, ["users/bob"], at) == {"users/bob": then[1]}
    assert world.documents.existing(HERE, asked, at) == {"users/bob"}
    assert world.documents.existing(HERE, asked, None) == {"users/eve"}
    assert world.documents.count(HERE, USERS, at) == 2
    ada = world.documents.get(HERE, ["users/ada"], None)["users/ada"]
    assert ada is not None
    assert ada.created_at == then[0].created_at
    assert changed <= ada.updated_at

    world.pass_time(2 * HOUR)
    assert paths(world.documents.stream(HERE, USERS, at)) == ["users/ada", "users/bob"]


def test_names_come_in_order_and_from_a_cursor(world: DocumentsWorld) -> None:
    """Numbers, then by the bytes of each part; the cursor itself need not be there."""
    world.write({f"users/{name}": {} for name in ("b", "é", "B", "a-1", "a")})
    ordered = ["users/B", "users/a", "users/a-1", "users/b", "users/é"]

    assert paths(world.documents.stream(HERE, USERS, None)) == ordered
    assert list(world.documents.paths(HERE, USERS, None, "users/a")) == ordered[2:]
    assert list(world.documents.paths(HERE, USERS, None, "users/aa")) == ordered[3:]
    stream = world.documents.stream(HERE, USERS, None)
    assert next(stream).path == "users/B"
    stream.close()  # type: ignore[attr-defined]

    numbers = [f"numbers/{name}" for name in ("__id9__", "__id10__", "__id", "a")]
    world.write({path: {} for path in reversed(numbers)})
    assert paths(world.documents.stream(HERE, Scope("numbers"), None)) == numbers
    assert paths(world.documents.stream(HERE, Scope("numbers"), None, numbers[0])) == numbers[1:]


def test_a_collection_group_is_looked_through(world: DocumentsWorld) -> None:
    """Everywhere means below any document; otherwise one collection alone."""
    world.write(
        {
            "orders/1": {},
            "users/ada/orders/2": {},
            "users/bob/orders/3": {},
            "users/ada": {},
            "old/orders": {},
        }
    )

    everywhere = ["orders/1", "users/ada/orders/2", "users/bob/orders/3"]
    assert list(world.documents.paths(HERE, ORDERS, None)) == everywhere
    assert list(world.documents.paths(HERE, ORDERS, None, everywhere[1])) == everywhere[2:]
    assert world.documents.count(HERE, ORDERS, None) == 3
    assert paths(world.documents.stream(HERE, Scope("users/ada/orders"), None)) == [everywhere[1]]
    assert world.documents.count(HERE, Scope("orders"), None) == 1
    assert world.documents.collections(HERE, None) == ["old", "orders", "users"]
    every = ["old/orders", everywhere[0], "users/ada", *everywhere[1:]]
    assert paths(world.documents.stream(HERE, Scope("", everywhere=True), None)) == every
    behind = world.documents.paths(HERE, Scope("", everywhere=True), None, "users/ada")
    assert list(behind) == everywhere[1:]


def test_documents_whose_fields_equal(world: DocumentsWorld) -> None:
    """By name, so many, each with the fields that are asked for; a number is no yes."""
    told: dict[str, Any] = {"wants": {"news": True}, "plan": 1, "device": {"id": "d", "os": "x"}}
    world.write(
        {
            "users/c": told,
            "users/a": told | {"plan": 1.0},
            "users/b": told | {"wants": {"news": 1}},
            "users/d": {"wants": {"news": True}, "plan": 1},
            "users/e": told | {"plan": 2},
            "users/a/users/f": told,
        }
    )
    at = minute(world)
    world.write({"users/a": None})

    where = {"wants.news": True, "plan": 1}
    found = world.documents.matching(HERE, USERS, where, at, ["device.id", "plan"], 9)
    assert [(one.path, one.fields) for one in found] == [
        ("users/a", {"device": {"id": "d"}, "plan": 1.0}),
        ("users/c", {"device": {"id": "d"}, "plan": 1}),
        ("users/d", {"plan": 1}),
    ]
    assert world.documents.count(HERE, USERS, at, where) == 3
    assert world.documents.count(HERE, USERS, None, where) == 2
    first = world.documents.matching(HERE, USERS, {}, None, ["odd-name"], 2)
    assert [(one.path, one.fields) for one in first] == [("users/b", {}), ("users/c", {})]


def test_the_newest_documents_by_a_time_that_they_hold(world: DocumentsWorld) -> None:
    """Later than the moment, newest first, so many; what holds no time is not among them."""
    at = minute(world)
    times = {"a": 1, "b": 3, "c": 2, "d": 0}
    world.write({f"users/{name}": {"on": at + timedelta(minutes=late)} for name, late in times.items()})
    world.write({"users/e": {"on": "2099-01-01"}, "users/f": {}, "users/a/users/g": {"on": at + HOUR}})

    found = world.documents.newest(HERE, USERS, "on", at, 9)
    assert [one.path for one in found] == ["users/b", "users/c", "users/a"]
    assert found[0].fields == {"on": at + timedelta(minutes=3)}
    assert [one.path for one in world.documents.newest(HERE, USERS, "on", at, 2)] == ["users/b", "users/c"]
    assert world.documents.newest(HERE, USERS, "on", at + HOUR, 9) == []


def test_collections_of_a_moment(world: DocumentsWorld) -> None:
    """One that is gone is there at the moment at which it was."""
    world.write({"users/ada": {}})
    at = minute(world)
    world.write({"users/ada": None, "orders/1": {}})

    assert world.documents.collections(HERE, at) == ["users"]
    assert world.documents.collections(HERE, None) == ["orders"]


def test_a_large_collection_is_cut(world: DocumentsWorld) -> None:
    """In order, within the scope, at most so often; a small one is not."""
    world.write({f"users/{number:03}": {} for number in range(400)} | {"a/b/users/1": {}})

    cuts = world.documents.partition_points(HERE, USERS, None, 2)
    assert 1 <= len(cuts) <= 2
    assert cuts == sorted(cuts)
    assert all(cut.startswith("users/") for cut in cuts)
    assert world.documents.partition_points(HERE, Scope("none"), None, 2) == []

    world.write({f"users/{one}/orders/{n:03}": {} for one in ("a", "a-1") for n in range(150)})
    cuts = world.documents.partition_points(HERE, ORDERS, None, 8)
    assert {cut.split("/")[1] for cut in cuts} == {"a", "a-1"}
    assert cuts == sorted(cuts, key=path_sort_key)


Look = Callable[[Documents, datetime | None], object]
LOOKS: tuple[tuple[str, Look], ...] = (
    ("RunQuery", lambda documents, at: list(documents.stream(HERE, USERS, at))),
    ("RunQuery", lambda documents, at: list(documents.paths(HERE, USERS, at))),
    ("RunQuery", lambda documents, at: documents.matching(HERE, USERS, {}, at, ["a"], 1)),
    ("GetDocument", lambda documents, at: documents.get(HERE, ["users/ada"], at)),
    ("BatchGetDocuments", lambda documents, at: documents.existing(HERE, ["users/ada"], at)),
    ("RunAggregationQuery", lambda documents, at: documents.count(HERE, USERS, at)),
    ("ListCollectionIds", lambda documents, at: documents.collections(HERE, at)),
    ("PartitionQuery", lambda documents, at: documents.partition_points(HERE, USERS, at, 2)),
)
"""Each look at a moment, and the call by which it is asked for."""


@pytest.mark.parametrize("back", [-HOUR, 2 * HOUR + timedelta(seconds=1), 8 * DAY])
def test_a_moment_that_cannot_be_read(world: DocumentsWorld, back: timedelta) -> None:
    """The future, no whole minute of long ago, and what is gone: a no, never an empty answer."""
    at = minute(world) - back

    for _, look in LOOKS:
        with pytest.raises(Rejected):
            look(world.documents, at)


@pytest.mark.parametrize(
    ("call", "look"),
    [
        *LOOKS,
        ("RunQuery", lambda documents, _: documents.newest(HERE, USERS, "on", START, 1)),
        ("BatchGetDocuments", lambda documents, _: documents.get(HERE, ["users/ada", "users/bob"], None)),
    ],
)
def test_a_look_without_an_answer(wire: OverTheWire, call: str, look: Look) -> None:
    """Could not look is not the same as empty."""
    wire.answer_once(call, refusal("UNAVAILABLE"))

    with pytest.raises(Unavailable):
        look(wire.documents, None)


@pytest.mark.parametrize(
    "path", ["users/.", "users/..", "users/__x__", f"users/{'é' * 751}", "x/users/y", "a//users/y"]
)
def test_what_no_document_can_be_called(world: DocumentsWorld, path: str) -> None:
    """All of the look is refused, also what it asks for beside it."""
    assert not is_document_path(path)
    with pytest.raises(Rejected, match="INVALID_ARGUMENT"):
        world.documents.existing(HERE, ["users/ada", path], None)
    with pytest.raises(Rejected, match="INVALID_ARGUMENT"):
        world.documents.get(HERE, ["users/ada", path], None)


@pytest.mark.parametrize("name", ["__id7__", "_", "__", "...", "x" * 1500, "a b", "ü\n"])
def test_what_a_document_can_be_called(world: DocumentsWorld, name: str) -> None:
    """Odd as it is, it is looked for."""
    path = f"users/{name}"
    world.write({path: {"n": 1}})
    assert is_document_path(path)
    assert world.documents.existing(HERE, ["users/ada", path], None) == {path}


def test_a_database_that_is_gone(wire: OverTheWire) -> None:
    """One document of it that is asked for is no document that is missing."""
    for call in ("GetDocument", "BatchGetDocuments"):
        wire.answer_once(call, refusal("NOT_FOUND"))

    with pytest.raises(Gone):
        wire.documents.get(HERE, ["users/ada"], None)
