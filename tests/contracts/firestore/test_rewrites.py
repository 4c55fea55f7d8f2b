"""What every Rewrites keeps, in memory and over gRPC to an embedded Firestore."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from local.faults.hooks import CallMoment
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firestore.documents import FirestoreDocuments
from shared.adapters.gcp.firestore.rewrites import FirestoreRewrites
from shared.core.errors import Ambiguous, Moved, Rejected
from shared.domain.data.document import DocumentSnapshot, Rewrite, is_same_value
from shared.ports.documents import Documents, Rewrites
from tests.contracts.support.application_writes import commit
from tests.contracts.support.every_value import EVERYTHING
from tests.contracts.support.lost_answers import lose_in_memory, lose_on_the_wire, refusal
from tests.contracts.support.worlds import both_worlds
from tests.local.support.firestore_admin import DATABASE, World
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.fakes.firestore.rewrites import FakeRewrites
from tests.support.fakes.runtime.clock import FakeClock

HERE = "(default)"


class InMemory:
    """The fakes."""

    def __init__(self) -> None:
        self._documents = FakeDocuments(FakeClock())
        self._rewrites = FakeRewrites(self._documents)
        self.documents: Documents = self._documents
        self.rewrites: Rewrites = self._rewrites

    def write(self, documents: Mapping[str, Mapping[str, Any] | None]) -> None:
        """The application lets the documents be so; None: gone."""
        self._documents.write(HERE, documents)

    def lose_answer(self) -> None:
        """The next rewrite takes effect, and nobody hears of it."""
        lose_in_memory(self._rewrites, "rewrites.rewrite")


class OverTheWire:
    """The adapters, and the service behind them."""

    def __init__(self, world: World, clients: Clients) -> None:
        self.world = world
        self._client = clients.firestore
        self.documents: Documents = FirestoreDocuments(clients.firestore, "shop")
        self.rewrites: Rewrites = FirestoreRewrites(clients.firestore, "shop")

    def write(self, documents: Mapping[str, Mapping[str, Any] | None]) -> None:
        commit(self._client, DATABASE, documents)

    def lose_answer(self) -> None:
        lose_on_the_wire(self.world.faults, "BatchWrite")


RewritesWorld = InMemory | OverTheWire
"""A database that an application writes, too."""


@pytest.fixture
def wire(served: tuple[World, Clients]) -> OverTheWire:
    return OverTheWire(*served)


world = both_worlds(InMemory)


def there(world: RewritesWorld, path: str) -> DocumentSnapshot | None:
    return world.documents.get(HERE, [path], None)[path]


def written_at(world: RewritesWorld, path: str) -> datetime:
    found = there(world, path)
    assert found is not None
    return found.updated_at


def test_a_document_is_written_back_whole(world: RewritesWorld) -> None:
    """Every value as it was read, no field of what stood there, and the time that is told."""
    world.write({"users/ada": {"spoilt": True}})
    seen = written_at(world, "users/ada")

    [landed] = world.rewrites.rewrite(HERE, [Rewrite("users/ada", EVERYTHING, seen)])
    found = there(world, "users/ada")
    assert found is not None
    assert is_same_value(found.fields, EVERYTHING)
    assert landed == found.updated_at != seen


def test_what_was_written_since_is_left(world: RewritesWorld) -> None:
    """Changed, deleted or made since it was read: that one is left, and holds up no other."""
    world.write({f"users/{name}": {"n": 1} for name in ("ada", "bob", "eve")})
    seen = {name: written_at(world, f"users/{name}") for name in ("ada", "bob", "eve")}
    world.write({"users/ada": {"n": 2}, "users/bob": None, "users/new": {"n": 3}})

    changed, gone, made, last, removed = world.rewrites.rewrite(
        HERE,
        [
            Rewrite("users/ada", {"n": 0}, seen["ada"]),
            Rewrite("users/bob", {"n": 0}, seen["bob"]),
            Rewrite("users/new", {"n": 0}, None),
            Rewrite("users/eve", {"n": 0}, seen["eve"]),
            Rewrite("users/none", None, seen["ada"]),
        ],
    )
    assert all(isinstance(one, Moved) for one in (changed, gone, made, removed))
    assert last == written_at(world, "users/eve")
    fields = world.documents.get(HERE, ["users/ada", "users/bob", "users/new"], None)
    assert [one and one.fields for one in fields.values()] == [{"n": 2}, None, {"n": 3}]


def test_made_again_and_removed(world: RewritesWorld) -> None:
    """What is gone is made again where it still is gone; what was made since is removed."""
    world.write({"users/made": {"n": 1}})
    seen = written_at(world, "users/made")

    made, removed = world.rewrites.rewrite(
        HERE, [Rewrite("users/ada", {"n": 1}, None), Rewrite("users/made", None, seen)]
    )
    assert made == written_at(world, "users/ada")
    assert removed is None
    assert there(world, "users/made") is None


def test_a_lost_answer(world: RewritesWorld) -> None:
    """It may be written; sent again, the write is refused, and it stands there once."""
    world.write({"users/ada": {"n": 2}})
    rewrite = Rewrite("users/ada", {"n": 1}, written_at(world, "users/ada"))
    world.lose_answer()

    with pytest.raises(Ambiguous):
        world.rewrites.rewrite(HERE, [rewrite])
    [again] = world.rewrites.rewrite(HERE, [rewrite])
    assert isinstance(again, Moved)
    found = there(world, "users/ada")
    assert found is not None
    assert found.fields == {"n": 1}


def test_many_and_large_ones(wire: OverTheWire) -> None:
    """More than one request holds are sent in several, and told in order."""
    many = [Rewrite(f"users/{n:04}", {"n": n}, None) for n in range(600)]
    large = [Rewrite(f"files/{n:02}", {"text": "x" * 1_000_000}, None) for n in range(12)]

    landed = wire.rewrites.rewrite(HERE, many + large)
    assert all(isinstance(one, datetime) for one in landed)
    assert wire.rewrites.rewrite(HERE, []) == []


def test_one_that_is_not_taken(wire: OverTheWire) -> None:
    """What the database refuses is told of that one alone; who may not write hears that at once."""
    too_large = Rewrite("users/ada", {"text": "x" * 1_100_000}, None)
    refused, landed = wire.rewrites.rewrite(HERE, [too_large, Rewrite("users/bob", {}, None)])
    assert isinstance(refused, Rejected)
    assert isinstance(landed, datetime)

    def hook(call: str, moment: CallMoment) -> None:
        if call.endswith("/BatchWrite") and moment is CallMoment.BEFORE:
            raise refusal("PERMISSION_DENIED")

    wire.world.faults.add(hook)
    with pytest.raises(Rejected):
        wire.rewrites.rewrite(HERE, [Rewrite("users/eve", {}, None)])
