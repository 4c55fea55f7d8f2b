"""Backups, restores and clones of Firestore databases through Google's own client."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore_admin_v1 import types
from google.type import dayofweek_pb2

from local.core.journal import Journal
from tests.local.support.firestore_admin import DATABASE, DAY, MINUTE, NOON, PROJECT, World, running

ANYWHERE = f"{PROJECT}/locations/-"
HOUR = timedelta(hours=1)
MIDNIGHT = NOON + 12 * HOUR
DAILY = types.DailyRecurrence()
MONDAYS = types.WeeklyRecurrence(day=dayofweek_pb2.MONDAY)
Recovery = types.Database.PointInTimeRecoveryEnablement
COPY = f"{PROJECT}/databases/scratch"


def name(world: World, name: str, user: str = "ada") -> None:
    """A user has that name from now on."""
    world.store.document(f"users/{user}").set({"name": name})


@pytest.fixture
def world() -> Iterator[World]:
    with running() as world:
        name(world, "Ada")
        yield world


def backups(world: World, wanted: str = "") -> list[types.Backup]:
    """The oldest first; the service lists them in no order that means anything."""
    listed = world.admin.list_backups({"parent": ANYWHERE, "filter": wanted}).backups
    return sorted(listed, key=lambda one: one.snapshot_time)


def next_backup(world: World) -> types.Backup:
    """The one that the next midnight makes, ready."""
    world.pass_time(DAY)
    return backups(world)[-1]


def names(world: World, database: str = "scratch") -> dict[str, Any]:
    stream = world.documents(database).collection("users").stream(retry=None)
    return {one.id: one.get("name") for one in stream}


def restore(world: World, backup: str, id_: str = "scratch") -> Any:
    request = {"parent": PROJECT, "database_id": id_, "backup": backup}
    return world.admin.restore_database(request, retry=None)


def clone(world: World, at: Any, **more: Any) -> Any:
    snapshot = {"database": DATABASE, "snapshot_time": at, **more}
    request = {"parent": PROJECT, "database_id": "scratch", "pitr_snapshot": snapshot}
    return world.admin.clone_database(request, retry=None)


def test_a_daily_schedule_makes_a_backup_each_midnight(world: World) -> None:
    """It is being made, then ready, then over."""
    world.schedule(2 * DAY, daily_recurrence=DAILY)
    assert not backups(world)

    world.pass_time(12 * HOUR)
    (made,) = backups(world)
    assert (made.database, made.snapshot_time) == (DATABASE, MIDNIGHT)
    assert made.expire_time == MIDNIGHT + 2 * DAY
    assert made.state is types.Backup.State.CREATING
    assert made.stats.document_count == 1

    world.pass_time(HOUR)
    assert world.admin.get_backup(name=made.name).state is types.Backup.State.READY
    assert backups(world, f'database="{DATABASE}"') == backups(world)
    assert backups(world, f'database_uid="{made.database_uid}"') == backups(world)
    assert not backups(world, 'database_uid="another"')

    world.pass_time(2 * DAY)
    assert [one.snapshot_time for one in backups(world)] == [MIDNIGHT + DAY, MIDNIGHT + 2 * DAY]
    with pytest.raises(exceptions.NotFound):
        world.admin.get_backup(name=made.name)


def test_a_weekly_schedule_keeps_its_day(world: World) -> None:
    """Of eight days two are Mondays: the origin is a Sunday."""
    world.schedule(14 * 7 * DAY, weekly_recurrence=MONDAYS)

    world.pass_time(8 * DAY)

    assert [one.snapshot_time for one in backups(world)] == [MIDNIGHT, MIDNIGHT + 7 * DAY]


def test_a_database_takes_one_schedule_of_each_kind(world: World) -> None:
    """A second daily one is refused, and so is what is kept too long or has no recurrence."""
    daily = world.schedule(daily_recurrence=DAILY)
    weekly = world.schedule(weekly_recurrence=MONDAYS)

    with pytest.raises(exceptions.AlreadyExists):
        world.schedule(daily_recurrence=DAILY)
    with pytest.raises(exceptions.InvalidArgument):
        world.schedule()
    world.admin.delete_backup_schedule(name=daily.name)
    with pytest.raises(exceptions.InvalidArgument):
        world.schedule(14 * 7 * DAY + MINUTE, daily_recurrence=DAILY)
    weekly.retention = DAY
    changed = world.admin.update_backup_schedule(backup_schedule=weekly)

    assert changed.retention == DAY
    listed = world.admin.list_backup_schedules(parent=DATABASE).backup_schedules
    assert list(listed) == [changed]
    assert world.admin.get_backup_schedule(name=weekly.name) == changed


def test_a_silent_schedule_makes_nothing(world: World) -> None:
    """It is there and says nothing: only the age of the newest backup tells."""
    schedule = world.schedule(daily_recurrence=DAILY)
    world.fail(schedule.name, "silent")

    world.pass_time(2 * DAY)

    assert not backups(world)
    assert world.admin.get_backup_schedule(name=schedule.name) == schedule


def test_a_backup_is_restored_into_a_new_database(world: World) -> None:
    """It holds its midnight, is closed until its operation ends, and the source stays."""
    world.schedule(daily_recurrence=DAILY)
    backup = next_backup(world)
    name(world, "Ada the second")

    begun = restore(world, backup.name)

    with pytest.raises(exceptions.FailedPrecondition):
        names(world)
    with pytest.raises(exceptions.AlreadyExists):
        restore(world, backup.name)
    ended = world.ends(begun)
    made = types.Database.pb()()
    ended.response.Unpack(made)
    assert (made.name, made.location_id) == (COPY, backup.name.split("/")[3])
    assert names(world) == {"ada": "Ada"}
    assert names(world, "(default)") == {"ada": "Ada the second"}


def test_a_restore_that_fails_late_leaves_no_database(world: World) -> None:
    """It was taken on, and what it had filled is gone."""
    world.schedule(daily_recurrence=DAILY)
    backup = next_backup(world)
    world.fail(f"{COPY}/restoreDatabase", "no space")

    ended = world.ends(restore(world, backup.name))

    assert ended.error.message == "no space"
    with pytest.raises(exceptions.NotFound):
        world.admin.get_database(name=COPY)
    with pytest.raises(exceptions.NotFound):
        names(world)


def test_a_restore_that_cannot_be(world: World) -> None:
    """The database that it is of is no target, and it must be ready, there and of the project."""
    world.schedule(daily_recurrence=DAILY)
    world.pass_time(12 * HOUR)
    (backup,) = backups(world)
    foreign = "projects/other/locations/nam5/backups/b"

    with pytest.raises(exceptions.FailedPrecondition):
        restore(world, backup.name)
    world.pass_time(HOUR)
    with pytest.raises(exceptions.AlreadyExists):
        restore(world, backup.name, "(default)")
    with pytest.raises(exceptions.InvalidArgument):
        restore(world, backup.name, "No")
    with pytest.raises(exceptions.InvalidArgument):
        restore(world, foreign)
    world.admin.delete_backup(name=backup.name)
    with pytest.raises(exceptions.NotFound):
        restore(world, backup.name)


def test_a_clone_is_what_a_database_was(world: World) -> None:
    """At a whole minute of its past, in a new database."""
    world.pass_time(MINUTE)
    name(world, "Eve", "eve")

    ended = world.ends(clone(world, NOON + MINUTE))

    assert ended.HasField("response")
    assert names(world) == {"ada": "Ada"}


def test_a_clone_that_cannot_be(world: World) -> None:
    """The moment must be a whole minute that can be read, the database the one that was meant."""
    with pytest.raises(exceptions.InvalidArgument):
        clone(world, NOON + timedelta(seconds=1))
    with pytest.raises(exceptions.FailedPrecondition):
        clone(world, NOON - 8 * DAY)
    with pytest.raises(exceptions.FailedPrecondition):
        clone(world, NOON, database_uid=b"another")
    with pytest.raises(exceptions.NotFound):
        clone(world, NOON, database=f"{PROJECT}/databases/nowhere")


@pytest.mark.parametrize(
    ("pitr", "state", "kept"),
    [
        (True, Recovery.POINT_IN_TIME_RECOVERY_ENABLED, 7 * DAY),
        (False, Recovery.POINT_IN_TIME_RECOVERY_DISABLED, HOUR),
    ],
)
def test_a_database_says_how_far_back_it_reads(
    pitr: bool, state: types.Database.PointInTimeRecoveryEnablement, kept: timedelta
) -> None:
    """To its beginning at first, and then its retention back."""
    with running(pitr=pitr) as world:
        name(world, "Ada")
        young = world.admin.get_database(name=DATABASE)
        world.pass_time(30 * DAY)
        old = world.admin.get_database(name=DATABASE)

    assert young.earliest_version_time == young.create_time
    assert old.earliest_version_time == world.clock.now() - kept
    assert (old.point_in_time_recovery_enablement, old.version_retention_period) == (state, kept)


def test_reads_of_the_past_keep_to_those_bounds(world: World) -> None:
    """Beyond the past hour only whole minutes are read."""
    world.pass_time(2 * HOUR)
    ada = world.store.document("users/ada")

    assert ada.get(read_time=NOON + MINUTE, retry=None).exists
    with pytest.raises(exceptions.FailedPrecondition):
        ada.get(read_time=NOON + timedelta(seconds=61), retry=None)


def test_a_database_comes_and_goes(world: World) -> None:
    """Its documents go with it, and its name comes back empty, as another database."""
    asked = types.Database(location_id="eur3", type_=types.Database.DatabaseType.FIRESTORE_NATIVE)
    make = {"parent": PROJECT, "database_id": "scratch", "database": asked}
    first = world.admin.create_database(make).result(timeout=60)
    world.documents("scratch").document("users/bob").set({"name": "Bob"})
    assert first.location_id == "eur3"
    assert [one.name for one in world.admin.list_databases(parent=PROJECT).databases] == [DATABASE, COPY]

    with pytest.raises(exceptions.FailedPrecondition):
        world.admin.delete_database({"name": COPY, "etag": "another"}, retry=None)
    world.admin.delete_database({"name": COPY, "etag": first.etag}).result(timeout=60)

    with pytest.raises(exceptions.NotFound):
        names(world)
    with pytest.raises(exceptions.NotFound):
        world.admin.delete_database(name=COPY)
    world.pass_time(MINUTE)
    second = world.admin.create_database(make).result(timeout=60)
    assert second.uid != first.uid
    assert not names(world)


def test_a_protected_database_stays(world: World) -> None:
    """Its protection must be taken away first."""
    protected = types.Database.DeleteProtectionState.DELETE_PROTECTION_ENABLED
    asked = types.Database(location_id="eur3", delete_protection_state=protected)
    world.admin.create_database({"parent": PROJECT, "database_id": "scratch", "database": asked}).result(
        timeout=60
    )

    with pytest.raises(exceptions.FailedPrecondition):
        world.admin.delete_database(name=COPY)


def test_backups_outlive_a_restart() -> None:
    """So do schedules, databases and what is being filled."""
    journal = Journal()
    with running(journal) as before:
        name(before, "Ada")
        before.schedule(daily_recurrence=DAILY)
        backup = next_backup(before)
        begun = restore(before, backup.name)

    with running(journal) as after:
        after.pass_time(DAY)  # the clock of a world begins anew

        assert backups(after) == [backup]
        after.ends(begun)
        assert names(after) == {"ada": "Ada"}
