"""What every Restores keeps, in memory and over gRPC to an embedded Firestore."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from google.cloud.firestore_admin_v1 import types

from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firestore.documents import FirestoreDocuments
from shared.adapters.gcp.firestore.exports import FirestoreExports
from shared.adapters.gcp.firestore.restores import FirestoreRestores
from shared.core.errors import Ambiguous, Exists, Moved, Rejected, RollbackError, Unavailable
from shared.domain.policy.document_scope import Scope
from shared.ports.backups import Exports, Restores
from shared.ports.documents import Documents
from tests.contracts.support.databases import EmbeddedFirestore, TimeInMemory
from tests.contracts.support.lost_answers import (
    EFFECT_MEANINGS,
    lose_in_memory,
    lose_on_the_wire,
    raises_exactly,
    refusal,
)
from tests.contracts.support.worlds import both_worlds
from tests.local.support.firestore_admin import BUCKET, World
from tests.support.fakes.firestore.databases import FakeDatabases
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.fakes.firestore.restores import FakeRestores
from tests.support.fakes.storage.mirrors import MemoryMirrors

HERE, SCRATCH, PLACE = "(default)", "proof-shop", "nam5"
PREFIX = f"gs://{BUCKET}/shop/one"
USERS = Scope("users")
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LATER = timedelta(minutes=15)
"""By then what was begun has ended."""


class InMemory(TimeInMemory):
    """The fakes."""

    def __init__(self) -> None:
        super().__init__()
        mirrors = MemoryMirrors()
        mirrors.buckets[BUCKET] = {}
        self._databases = FakeDatabases(self._clock, mirrors)
        self._databases.hold_documents(HERE, users=1)
        documents = FakeDocuments(self._clock)
        documents.write(HERE, {"users/ada": {"n": 1}})
        self._fake = FakeRestores(self._clock, self._databases, documents)
        self.restores: Restores = self._fake
        self.exports: Exports = self._databases
        self.documents: Documents = documents
        self._kept = documents

    def fail_filling(self, why: str) -> None:
        """Let the next one fail when it is due."""
        self._fake.failures.append(why)

    def lose_answer_of_fill(self) -> None:
        """The next one is begun, and nobody hears of it."""
        lose_in_memory(self._fake, "restores.fill")

    def fail_cloning(self, why: str) -> None:
        """Let the next clone fail when it is due."""
        self.fail_filling(why)

    def lose_answer_of_clone(self) -> None:
        """The next one is begun, and nobody hears of it."""
        lose_in_memory(self._fake, "restores.clone")

    def change_user(self) -> None:
        """Let the user be another from now on."""
        self._kept.write(HERE, {"users/ada": {"n": 2}})

    def native_backup(self) -> str:
        """The name of one that is ready."""
        self._databases.back_up(HERE, DAY)
        return self._databases.backups(HERE)[-1].name


class OverTheWire(EmbeddedFirestore):
    """The adapters, and the services behind them."""

    def __init__(self, world: World, clients: Clients) -> None:
        super().__init__(world, clients)
        world.store.document("users/ada").set({"n": 1})
        admin, firestore = clients.firestore_admin, clients.firestore
        self.restores: Restores = FirestoreRestores(admin, firestore, "shop")
        self.exports: Exports = FirestoreExports(admin, "shop")
        self.documents: Documents = FirestoreDocuments(firestore, "shop")

    def fail_filling(self, why: str) -> None:
        self.world.fail(f"projects/shop/databases/{SCRATCH}/importDocuments", why)

    def lose_answer_of_fill(self) -> None:
        lose_on_the_wire(self.world.faults, "ImportDocuments")

    def fail_cloning(self, why: str) -> None:
        self.world.fail(f"projects/shop/databases/{SCRATCH}/cloneDatabase", why)

    def lose_answer_of_clone(self) -> None:
        lose_on_the_wire(self.world.faults, "CloneDatabase")

    def change_user(self) -> None:
        self.world.store.document("users/ada").set({"n": 2})

    def native_backup(self) -> str:
        self.world.schedule(DAY, daily_recurrence=types.DailyRecurrence())
        self.world.pass_time(timedelta(hours=12, minutes=10))
        [made] = self.world.admin.list_backups(parent="projects/shop/locations/-").backups
        return str(made.name)


RestoresWorld = InMemory | OverTheWire
"""A database with a user, and what backs it up."""


@pytest.fixture
def wire(served: tuple[World, Clients]) -> OverTheWire:
    return OverTheWire(*served)


world = both_worlds(InMemory)


def minute(world: RestoresWorld) -> datetime:
    """The last whole minute, a minute from now."""
    world.pass_time(MINUTE)
    return world.now().replace(second=0, microsecond=0)


def export(world: RestoresWorld) -> None:
    world.exports.begin(HERE, PREFIX, minute(world))
    world.pass_time(LATER)
    exported = world.exports.find(HERE, PREFIX)
    assert exported is not None
    assert exported.is_whole


def fill(world: RestoresWorld) -> str:
    """A copy is made of an export; the operation that has filled it."""
    export(world)
    world.restores.create(SCRATCH, PLACE)
    operation = world.restores.fill(SCRATCH, PREFIX)
    world.pass_time(LATER)
    return operation


def users(world: RestoresWorld) -> list[str]:
    return list(world.documents.paths(SCRATCH, USERS, None))


def test_an_export_is_put_into_a_database_of_its_own(world: RestoresWorld) -> None:
    """It is filled when its operation is over, and found by the database's name."""
    export(world)
    world.restores.create(SCRATCH, PLACE)
    assert world.restores.find(SCRATCH) is None
    operation = world.restores.fill(SCRATCH, PREFIX)
    assert world.restores.look(operation).ended_at is None
    world.pass_time(LATER)

    ended = world.restores.look(operation)
    assert (ended.ended_at is not None, ended.failure) == (True, "")
    assert world.restores.find(SCRATCH) == ended
    assert users(world) == ["users/ada"]
    assert world.restores.names() == [HERE, SCRATCH]


def test_a_native_backup_becomes_a_database(world: RestoresWorld) -> None:
    """A new one, at the backup's place."""
    backup = world.native_backup()
    operation = world.restores.restore(SCRATCH, backup)
    with pytest.raises(Exists):
        world.restores.restore(SCRATCH, backup)
    world.pass_time(LATER)

    assert world.restores.look(operation).ended_at is not None
    assert users(world) == ["users/ada"]


def test_a_minute_of_the_past_becomes_a_database(world: RestoresWorld) -> None:
    """As the database was then; a retry finds its own by what it is filled from."""
    at = minute(world)
    world.pass_time(2 * MINUTE)
    world.change_user()
    operation = world.restores.clone(SCRATCH, HERE, at)
    with pytest.raises(Exists):
        world.restores.clone(SCRATCH, HERE, at)
    cloning = world.restores.find(SCRATCH)
    world.pass_time(LATER)

    ended = world.restores.look(operation)
    assert cloning is not None
    assert cloning.operation == operation
    assert ended.ended_at is not None
    assert world.restores.find(SCRATCH) == ended
    ada = world.documents.get(SCRATCH, ["users/ada"], None)["users/ada"]
    assert ada is not None
    assert ada.fields == {"n": 1}


def test_a_clone_that_fails_late(world: RestoresWorld) -> None:
    """It is over with the reason, and found so."""
    at = minute(world)
    world.fail_cloning("no room")
    operation = world.restores.clone(SCRATCH, HERE, at)
    world.pass_time(LATER)

    assert world.restores.look(operation).failure == "no room"
    ended = world.restores.find(SCRATCH)
    assert ended is not None
    assert ended.failure == "no room"


def test_a_lost_answer_of_a_clone(world: RestoresWorld) -> None:
    """Whether it was begun is unknown, and a look at the database tells."""
    at = minute(world)
    world.lose_answer_of_clone()

    with pytest.raises(Ambiguous):
        world.restores.clone(SCRATCH, HERE, at)

    assert world.restores.find(SCRATCH) is not None


@pytest.mark.parametrize("ago", [timedelta(days=8), -timedelta(minutes=2), timedelta(seconds=90)])
def test_a_moment_that_cannot_be_cloned(world: RestoresWorld, ago: timedelta) -> None:
    """Too old, to come, or no whole minute: nothing is made."""
    at = minute(world) - ago

    with pytest.raises(Rejected):
        world.restores.clone(SCRATCH, HERE, at)

    assert world.restores.names() == [HERE]


def test_a_name_is_given_once(world: RestoresWorld) -> None:
    """Whoever comes second is told, and a place that is none is refused."""
    world.restores.create(SCRATCH, PLACE)

    with pytest.raises(Exists):
        world.restores.create(SCRATCH, PLACE)


def test_what_is_deleted_is_gone(world: RestoresWorld) -> None:
    """With its documents; once more changes nothing, and the name is free."""
    fill(world)

    world.restores.delete(SCRATCH)
    world.restores.delete(SCRATCH)

    assert world.restores.names() == [HERE]
    world.restores.create(SCRATCH, PLACE)
    assert users(world) == []


def test_documents_are_taken_out(world: RestoresWorld) -> None:
    """Of the copy alone; what is not there is gone already."""
    fill(world)

    world.restores.remove(SCRATCH, ["users/ada", "users/none"])

    assert users(world) == []
    assert list(world.documents.paths(HERE, USERS, None)) == ["users/ada"]


def test_filling_that_fails_late(world: RestoresWorld) -> None:
    """It is over, with the reason."""
    export(world)
    world.restores.create(SCRATCH, PLACE)
    world.fail_filling("no room")
    operation = world.restores.fill(SCRATCH, PREFIX)
    world.pass_time(LATER)

    ended = world.restores.look(operation)
    assert (ended.ended_at is not None, ended.failure) == (True, "no room")


def test_a_lost_answer(world: RestoresWorld) -> None:
    """Whether it was begun is unknown, and a look at the database tells."""
    export(world)
    world.restores.create(SCRATCH, PLACE)
    world.lose_answer_of_fill()

    with pytest.raises(Ambiguous):
        world.restores.fill(SCRATCH, PREFIX)

    assert world.restores.find(SCRATCH) is not None


def test_what_is_not_there(world: RestoresWorld) -> None:
    """No export, no backup, no operation: each is a no, and nothing is made."""
    world.restores.create(SCRATCH, PLACE)
    for ask in (
        lambda: world.restores.fill(SCRATCH, f"gs://{BUCKET}/none"),
        lambda: world.restores.restore("other", "projects/shop/locations/nam5/backups/none"),
        lambda: world.restores.look("projects/shop/databases/none/operations/none"),
    ):
        with pytest.raises(Rejected):
            ask()

    assert world.restores.find("other") is None
    assert world.restores.names() == [HERE, SCRATCH]


@pytest.mark.parametrize(
    ("call", "ask"),
    [
        ("ListOperations", lambda one: one.restores.find(SCRATCH)),
        ("GetOperation", lambda one: one.restores.look("projects/shop/databases/a/operations/a")),
        ("ListDatabases", lambda one: one.restores.names()),
    ],
)
def test_a_look_without_an_answer(wire: OverTheWire, call: str, ask: Any) -> None:
    """Could not look is not the same as empty."""
    wire.answer_once(call, refusal("UNAVAILABLE"))

    with pytest.raises(Unavailable):
        ask(wire)


@pytest.mark.parametrize(("status", "meaning"), EFFECT_MEANINGS)
@pytest.mark.parametrize(
    ("call", "ask"),
    [
        ("CreateDatabase", lambda one: one.restores.create(SCRATCH, PLACE)),
        ("ImportDocuments", lambda one: one.restores.fill(SCRATCH, PREFIX)),
        ("RestoreDatabase", lambda one: one.restores.restore(SCRATCH, "b")),
        ("CloneDatabase", lambda one: one.restores.clone(SCRATCH, HERE, one.now())),
        ("Commit", lambda one: one.restores.remove(SCRATCH, ["users/ada"])),
        ("DeleteDatabase", lambda one: one.restores.delete(SCRATCH)),
    ],
)
def test_what_an_answer_to_an_effect_means(
    wire: OverTheWire, call: str, ask: Any, status: str, meaning: type[RollbackError]
) -> None:
    """Each status is one of our errors, and the client does nothing twice by itself."""
    wire.answer_once(call, refusal(status))

    with raises_exactly(meaning):
        ask(wire)


def test_what_still_works_is_not_deleted(wire: OverTheWire) -> None:
    """It is tried again later."""
    wire.answer_once("DeleteDatabase", refusal("FAILED_PRECONDITION"))

    with pytest.raises(Moved):
        wire.restores.delete(SCRATCH)
