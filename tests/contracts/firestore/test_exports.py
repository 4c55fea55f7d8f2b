"""What every Exports and Backups keeps, in memory and over gRPC to an embedded Firestore."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from google.cloud.firestore_admin_v1 import types
from google.type import dayofweek_pb2

from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.firestore.backups import FirestoreBackups
from shared.adapters.gcp.firestore.exports import FirestoreExports
from shared.core.errors import Ambiguous, Exists, Rejected, RollbackError, Unavailable
from shared.domain.data.backups.backup_records import Export, ObjectMetadata, Recurrence
from shared.ports.backups import Backups, Exports
from tests.contracts.support.databases import EmbeddedFirestore, TimeInMemory
from tests.contracts.support.lost_answers import (
    EFFECT_MEANINGS,
    lose_in_memory,
    lose_on_the_wire,
    raises_exactly,
    refusal,
)
from tests.contracts.support.worlds import both_worlds
from tests.local.support.firestore_admin import BUCKET, DATABASE, World
from tests.support.fakes.firestore.databases import FakeDatabases
from tests.support.fakes.storage.mirrors import MemoryMirrors

HERE = "(default)"
PREFIX = f"gs://{BUCKET}/shop/20260301T1200"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LATER = timedelta(minutes=10)
"""By then what was begun has ended."""


class InMemory(TimeInMemory):
    """The fakes."""

    def __init__(self) -> None:
        super().__init__()
        self._mirrors = MemoryMirrors()
        self._mirrors.buckets[BUCKET] = {}
        self._fake = FakeDatabases(self._clock, self._mirrors)
        self.exports: Exports = self._fake
        self.backups: Backups = self._fake
        self.hold_documents(users=2, orders=1)

    def hold_documents(self, **counts: int) -> None:
        """Let the database have at least so many documents per collection."""
        self._fake.hold_documents(HERE, **counts)

    def fail_export(self, why: str) -> None:
        """Let the next export fail when it is due."""
        self._fake.failures.append(why)

    def lose_answer_of_begin(self) -> None:
        """The next export is begun, and nobody hears of it."""
        lose_in_memory(self._fake, "exports.begin")

    def files(self, folder: str) -> dict[str, ObjectMetadata]:
        """What lies in the bucket."""
        return self._mirrors.list_objects(BUCKET, folder)

    def schedule(self, recurrence: Recurrence, kept: timedelta) -> None:
        """Let a native schedule be there."""
        self._fake.schedule(HERE, recurrence, kept)

    def make_backup(self) -> None:
        """Let a day pass, at whose end the daily schedule has made its backup."""
        self.pass_time(DAY)
        self._fake.back_up(HERE, 7 * DAY)


class OverTheWire(EmbeddedFirestore):
    """The adapters, and the services behind them."""

    def __init__(self, world: World, clients: Clients) -> None:
        super().__init__(world, clients)
        admin = clients.firestore_admin
        self.exports: Exports = FirestoreExports(admin, "shop")
        self.backups: Backups = FirestoreBackups(admin, "shop")
        self.hold_documents(users=2, orders=1)

    def hold_documents(self, **counts: int) -> None:
        batch = self.world.store.batch()
        for collection, count in counts.items():
            for number in range(count):
                batch.set(self.world.store.document(f"{collection}/{number}"), {"n": number})
        batch.commit(retry=None)

    def fail_export(self, why: str) -> None:
        self.world.fail(f"{DATABASE}/exportDocuments", why)

    def lose_answer_of_begin(self) -> None:
        lose_on_the_wire(self.world.faults, "ExportDocuments")

    def files(self, folder: str) -> dict[str, ObjectMetadata]:
        kept = self.world.files(folder)
        return {name: ObjectMetadata(len(content), "") for name, content in kept.items()}

    def schedule(self, recurrence: Recurrence, kept: timedelta) -> None:
        if recurrence is Recurrence.DAILY:
            self.world.schedule(kept, daily_recurrence=types.DailyRecurrence())
        else:
            monday = types.WeeklyRecurrence(day=dayofweek_pb2.MONDAY)
            self.world.schedule(kept, weekly_recurrence=monday)

    def make_backup(self) -> None:
        self.pass_time(DAY)


DatabasesWorld = InMemory | OverTheWire
"""A database with documents, and what happens to it without the ports."""


@pytest.fixture
def wire(served: tuple[World, Clients]) -> OverTheWire:
    return OverTheWire(*served)


world = both_worlds(InMemory)


def minute(world: DatabasesWorld) -> datetime:
    """The next whole minute, which has passed when this returns."""
    world.pass_time(MINUTE)
    return world.now().replace(second=0, microsecond=0)


def begin(world: DatabasesWorld) -> str:
    return world.exports.begin(HERE, PREFIX, minute(world))


def export_of(world: DatabasesWorld, prefix: str = PREFIX) -> Export:
    export = world.exports.find(HERE, prefix)
    assert export is not None
    return export


def test_an_export_runs_and_is_whole(world: DatabasesWorld) -> None:
    """It tells what it holds when it is over, and not before."""
    at = minute(world)
    operation = world.exports.begin(HERE, PREFIX, at)
    running_ = world.exports.look(operation)
    assert (running_.ended_at, running_.is_whole, running_.documents) == (None, False, 0)

    world.pass_time(LATER)

    whole = world.exports.look(operation)
    assert whole.is_whole
    assert (whole.snapshot_at, whole.prefix, whole.documents) == (at, PREFIX, 3)
    assert export_of(world) == whole
    assert any(name.endswith(".overall_export_metadata") for name in world.files("shop/"))


def test_an_export_that_fails_late(world: DatabasesWorld) -> None:
    """It is over and not whole, with the reason; its name can be used again."""
    world.fail_export("the bucket is full")
    operation = begin(world)
    world.pass_time(LATER)

    failed = world.exports.look(operation)
    assert failed.ended_at is not None
    assert (failed.failure, failed.is_whole) == ("the bucket is full", False)
    assert export_of(world).failure == "the bucket is full"
    assert begin(world) != operation


def test_a_lost_answer(world: DatabasesWorld) -> None:
    """Whether it was begun is unknown, and the look for its name tells."""
    assert world.exports.find(HERE, PREFIX) is None
    world.lose_answer_of_begin()
    with pytest.raises(Ambiguous):
        begin(world)

    assert export_of(world).prefix == PREFIX


def test_a_name_is_taken_once_it_is_whole(world: DatabasesWorld) -> None:
    """A second export does not go over the first."""
    begin(world)
    world.pass_time(LATER)

    with pytest.raises(Exists):
        begin(world)


def test_two_under_one_name(world: DatabasesWorld) -> None:
    """While the first runs, nothing keeps the second from it: the newest is found."""
    begin(world)
    second = begin(world)

    assert export_of(world).operation == second


@pytest.mark.parametrize("back", [-HOUR, timedelta(seconds=1), 8 * DAY])
def test_a_moment_that_cannot_be_exported(world: DatabasesWorld, back: timedelta) -> None:
    """The future, no whole minute, and what is gone."""
    at = minute(world) - back

    with pytest.raises(Rejected):
        world.exports.begin(HERE, PREFIX, at)
    assert world.files("") == {}


def test_nowhere_to_go(world: DatabasesWorld) -> None:
    """A bucket, or an operation, that is not there is a no."""
    with pytest.raises(Rejected):
        world.exports.begin(HERE, "gs://nobodys-bucket/a", minute(world))
    with pytest.raises(Rejected):
        world.exports.look("projects/shop/databases/(default)/operations/none")


def test_a_database_tells_how_far_back_it_reads(world: DatabasesWorld) -> None:
    """From its beginning, and then a week."""
    began = world.now()
    young = world.backups.database(HERE)
    world.pass_time(30 * DAY)
    old = world.backups.database(HERE)

    assert (young.earliest_at, old.earliest_at) == (began, world.now() - 7 * DAY)
    assert (old.point_in_time_recovery, old.location) == (True, "nam5")
    with pytest.raises(Rejected):
        world.backups.database("none")


def test_schedules_and_what_they_made(world: DatabasesWorld) -> None:
    """Both kinds, with their retention; a backup until it expires, the oldest first."""
    assert world.backups.schedules(HERE) == []
    assert world.backups.backups(HERE) == []
    began = world.now()
    world.schedule(Recurrence.WEEKLY, 14 * 7 * DAY)
    world.schedule(Recurrence.DAILY, 7 * DAY)

    daily, weekly = world.backups.schedules(HERE)
    assert (daily.recurrence, daily.kept, daily.created_at) == (Recurrence.DAILY, 7 * DAY, began)
    assert (weekly.recurrence, weekly.kept) == (Recurrence.WEEKLY, 14 * 7 * DAY)

    world.make_backup()
    made = world.backups.backups(HERE)
    assert [one.documents for one in made] == [3] * len(made)
    assert all(one.is_ready and one.expires_at > world.now() for one in made)
    world.make_backup()
    times = [one.snapshot_at for one in world.backups.backups(HERE)]
    assert times == sorted(times)
    assert len(times) > len(made)


@pytest.mark.parametrize(
    ("call", "ask"),
    [
        ("ListOperations", lambda one: one.exports.find(HERE, PREFIX)),
        ("GetOperation", lambda one: one.exports.look(f"{DATABASE}/operations/a")),
        ("GetDatabase", lambda one: one.backups.database(HERE)),
        ("ListBackups", lambda one: one.backups.backups(HERE)),
        ("ListBackupSchedules", lambda one: one.backups.schedules(HERE)),
    ],
)
def test_a_look_without_an_answer(wire: OverTheWire, call: str, ask: Any) -> None:
    """Could not look is not the same as empty."""
    wire.answer_once(call, refusal("UNAVAILABLE"))

    with pytest.raises(Unavailable):
        ask(wire)


@pytest.mark.parametrize(("status", "meaning"), [*EFFECT_MEANINGS, ("INVALID_ARGUMENT", Rejected)])
def test_what_an_answer_to_a_begin_means(
    wire: OverTheWire, status: str, meaning: type[RollbackError]
) -> None:
    """Each status is one of our errors, and the client begins nothing twice by itself."""
    wire.answer_once("ExportDocuments", refusal(status))

    with raises_exactly(meaning):
        begin(wire)

    assert wire.exports.find(HERE, PREFIX) is None
