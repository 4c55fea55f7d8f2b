"""Restore points: what people say, and the one moment that it means, or why it means none."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from responders.data.restore_points import read_available_points
from shared.core.codec import encode
from shared.core.errors import Refused, Rejected, Unavailable
from shared.core.store import Put
from shared.domain.data.backups import restore_point
from shared.domain.data.backups import restore_test as proofs
from shared.domain.data.backups.backup_records import Database, NativeBackup
from shared.domain.data.backups.export import Backup, ExportStatus, create_backup, export_path
from shared.domain.data.backups.filled_database import FillStatus
from shared.domain.data.backups.restore_point import (
    AvailablePoints,
    RestorePoint,
    RestoreSource,
    resolve_restore_point,
)
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from tests.support.data.exports import POLICY
from tests.support.data.restore_points import DAY, HOUR, NOW, build_proof
from tests.support.fakes.firestore.databases import WINDOW
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)
NATIVE = "projects/p/locations/nam5/backups/weekly"
NOON = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)
EARLIEST = NOW - 7 * DAY


def export(at: datetime, before: str = "") -> Backup:
    """A whole export of that moment."""
    begun = create_backup(POLICY, at, at, before)
    return replace(begun, snapshot_at=at, status=ExportStatus.KEPT, places=(begun.prefix,))


def deployment(name: str, at: datetime, backup_at: datetime | None = None) -> Deployment:
    return Deployment(name, "bookshop", at, DeploymentStatus.STABLE, {}, backup_at=backup_at)


YOUNG = export(NOON - 2 * DAY)
OLD = export(NOON - 10 * DAY)
UNTRIED = export(NOON - 9 * DAY)
FOR_V2 = export(NOON - 12 * DAY, "v2")
FOR_V3 = export(NOON - 11 * DAY, "v3")
WEEKLY = NativeBackup(NATIVE, NOON - 14 * DAY, NOON + 70 * DAY, True)
CREATING = NativeBackup(f"{NATIVE}-2", NOON, NOON + DAY, False)
PROVEN = tuple(build_proof(name, FillStatus.PROVEN) for name in (YOUNG.id, OLD.id, FOR_V2.id, NATIVE))
KEPT = AvailablePoints(
    now=NOW,
    database=Database("nam5", True, EARLIEST),
    exports=(YOUNG, OLD, UNTRIED, FOR_V2, FOR_V3),
    natives=(WEEKLY, CREATING),
    proofs=PROVEN,
    deployments=(
        deployment("v1", NOW - 3 * DAY, NOON - 3 * DAY - MINUTE),
        deployment("v2", FOR_V2.snapshot_at + 30 * MINUTE, FOR_V2.snapshot_at + MINUTE),
        deployment("v3", FOR_V3.snapshot_at),
        deployment("v4", NOW - HOUR),
        deployment("2026-03-18.1", NOW - 2 * DAY),
        deployment("20260319_1200", NOW - DAY + HOUR),
    ),
)


def window(at: datetime) -> RestorePoint:
    return RestorePoint(at, RestoreSource.WINDOW, until=at + 7 * DAY)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-03-20T11:59:59Z", NOON - MINUTE),
        ("2026-03-20T12:59:59+01:00", NOON - MINUTE),
        ("20260319_1807", datetime(2026, 3, 19, 18, 7, tzinfo=UTC)),
        ("1h", NOON - HOUR),
        ("30m", NOON - 30 * MINUTE),
        ("0s", NOON),
        ("6d23h59m", NOON - 7 * DAY + MINUTE),
        ("2026-03-13T12:01:00Z", NOON - 7 * DAY + MINUTE),
        ("latest", YOUNG.snapshot_at),
        ("v1", NOON - 3 * DAY - MINUTE),
        ("v4", NOON - HOUR),
        ("2026-03-18.1", NOON - 2 * DAY),
    ],
)
def test_a_minute_that_the_database_can_be_read_as_of(said: str, at: datetime) -> None:
    """It is whole, at or before what was said, and holds nothing newer."""
    assert resolve_restore_point(said, KEPT) == window(at)


@pytest.mark.parametrize(
    ("said", "backup", "proven"),
    [
        ("2026-03-10T12:00:59Z", OLD.id, True),
        ("20260310_1200", OLD.id, True),
        ("2026-03-06T12:00:00Z", NATIVE, True),
        ("v2", FOR_V2.id, True),
        (OLD.id, OLD.id, True),
        (NATIVE, NATIVE, True),
        (UNTRIED.id, UNTRIED.id, False),
        (FOR_V3.id, FOR_V3.id, False),
    ],
)
def test_a_backup_beyond_the_window(said: str, backup: str, proven: bool) -> None:
    """A proven one of exactly that minute; by its name any that is whole."""
    found = resolve_restore_point(said, KEPT)

    assert (found.backup, found.is_verified) == (backup, proven)
    assert found.source is (RestoreSource.NATIVE if backup == NATIVE else RestoreSource.EXPORT)
    assert found.name == backup
    assert ("never proven" in str(found)) is not proven


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("2026-03-20T12:01:00Z", ["in the future"]),
        ("8d", ["2026-03-12 12:00 UTC cannot be had", OLD.id, "2026-03-13 12:01 UTC"]),
        ("2026-03-13T12:00:59Z", ["cannot be had; nearest", OLD.id, "2026-03-13 12:01 UTC"]),
        ("2026-03-11T12:00:00Z", [f"by its name alone: {UNTRIED.id}; nearest", OLD.id]),
        ("v3", ["before v3, cannot be had", FOR_V3.id, FOR_V2.id, OLD.id]),
        ("2020-01-01T00:00:00Z", [f"nearest: 2026-03-06 12:00 UTC (native backup {NATIVE}"]),
        (f"{OLD.id}z", ["did you mean", OLD.id, "1h"]),
        (CREATING.name, ["is none"]),
        ("2026-02-30T00:00:00Z", ["is no time"]),
        ("20261301_0000", ["is no time"]),
        ("20260319_1200", ["a name as well", "2026-03-19T12:00:00Z or 2026-03-19T13:00:00Z"]),
        ("0001-01-01T00:00:00+01:00", ["is no time"]),
        ("9999-12-31T23:59:59-01:00", ["is no time"]),
        ("2026-03-20T11:00:00", ["has no zone"]),
        ("2026-03-20", ["has no zone"]),
    ],
)
def test_what_cannot_be_had_is_refused(said: str, words: list[str]) -> None:
    """With the nearest that can, and what could be taken by its name."""
    with pytest.raises(Refused) as refused:
        resolve_restore_point(said, KEPT)

    assert [word for word in words if word not in refused.value.reason] == []


def test_without_a_proven_backup_there_is_no_latest() -> None:
    """An untried one is named, and not taken."""
    with pytest.raises(Refused, match=f"no backup is proven; .*alone: .*{YOUNG.id}; nearest: 2026"):
        resolve_restore_point("latest", replace(KEPT, proofs=()))


@pytest.mark.parametrize(
    ("valid_at", "proofs", "meant"),
    [
        (NOON - HOUR, (), window(NOON - HOUR)),
        (NOON - HOUR, PROVEN, window(YOUNG.snapshot_at)),
        (NOON - HOUR, (build_proof(OLD.id, FillStatus.PROVEN),), window(NOON - HOUR)),
    ],
)
def test_without_a_proven_backup_in_reach_the_last_valid_data_is_latest(
    valid_at: datetime, proofs: tuple[RestoreTest, ...], meant: RestorePoint
) -> None:
    """A system as shipped has checks of its data and no backup."""
    assert resolve_restore_point("latest", replace(KEPT, valid_at=valid_at, proofs=proofs)) == meant


def test_the_newest_proof_of_a_backup_counts() -> None:
    """What could be restored once, and could not be the last time, is not proven."""
    failed = build_proof(YOUNG.id, FillStatus.FAILED, NOW - HOUR)
    running = build_proof(OLD.id, FillStatus.CHECKING, NOW - HOUR)

    found = resolve_restore_point("latest", replace(KEPT, proofs=(failed, running, *PROVEN)))

    assert found.backup == OLD.id


def test_a_database_that_is_gone() -> None:
    """Its backups are left; without any there is nothing, and that is said."""
    gone = replace(KEPT, database=None)

    assert gone.window is None
    assert resolve_restore_point("latest", gone).backup == YOUNG.id
    with pytest.raises(Refused, match="nearest"):
        resolve_restore_point("1h", gone)
    with pytest.raises(Refused, match="nothing else can be had"):
        resolve_restore_point("1h", AvailablePoints(NOW, None))


def test_a_database_of_this_minute_has_no_window_yet() -> None:
    """No whole minute of it is over."""
    young = AvailablePoints(NOW, Database("nam5", False, NOW - timedelta(seconds=10)))

    assert young.window is None


def test_a_point_is_found_again_by_its_name() -> None:
    """What was resolved once means the same later, as long as it is there."""
    for said in ("latest", "1h", "v2", UNTRIED.id):
        found = resolve_restore_point(said, KEPT)
        assert resolve_restore_point(found.name, replace(KEPT, now=NOW + 3 * MINUTE)).at == found.at
    later = replace(KEPT, now=NOW + 6 * DAY, database=Database("nam5", True, NOW - DAY))
    assert resolve_restore_point(resolve_restore_point("latest", KEPT).name, later).backup == YOUNG.id


def test_what_there_is_is_gathered() -> None:
    """The catalogue, proofs and deployments of the system, and Google's account of the database."""
    shop = World(policy=POLICY)
    shop.ports.databases.hold_documents(ORIGINAL, customers=1)
    shop.advance_clock(HOUR)
    shop.ports.databases.back_up(ORIGINAL, DAY)
    elsewhere = replace(OLD, id="elsewhere", database="other")
    shop.store.commit(
        [Put(export_path(one.id), encode(one)) for one in (OLD, elsewhere)]
        + [Put(proofs.restore_test_path(PROVEN[1].id), encode(PROVEN[1]))]
    )

    points = read_available_points(shop.ports, POLICY)

    assert points.backups[0].backup.startswith("projects/p/")
    assert [one.backup for one in points.verified_points if one.backup] == [OLD.id]
    assert [one.id for one in points.deployments] == ["v1"]
    assert points.database is not None
    assert points.database.earliest_at > points.now - WINDOW


@pytest.mark.parametrize("failure", [Rejected("PERMISSION_DENIED: no"), Unavailable("no answer")])
def test_what_cannot_be_seen_is_not_called_absent(failure: Exception) -> None:
    """Only a database that is not there has no window."""
    shop = World(policy=POLICY)
    shop.ports.databases.hook = raise_error("backups.database", failure)
    with pytest.raises(type(failure)):
        read_available_points(shop.ports, POLICY)


def test_a_database_that_google_does_not_know_is_gone() -> None:
    """The catalogue still tells of its backups."""
    shop = World(policy=POLICY)
    shop.store.commit([Put(export_path(OLD.id), encode(OLD))])

    points = read_available_points(shop.ports, POLICY)

    assert (points.database, [one.backup for one in points.backups]) == (None, [OLD.id])


def test_forms_are_said_in_one_place() -> None:
    """Each that the sentence names is one."""
    for said in ("latest", "2026-03-18T12:00:00Z", "20260318_1200", "1h"):
        assert said == "latest" or restore_point.parse_time_or_span(said, NOW) is not None


def test_how_fast_backups_are_restored_is_what_the_newest_restore_test_measured() -> None:
    """Each kind by itself; a test without an end, or of an unknown size, measures nothing."""
    began = NOW - DAY
    timed = replace(build_proof(OLD.id, FillStatus.PROVEN, began), filled_at=began + 10 * MINUTE)
    older = replace(timed, began_at=began - DAY, filled_at=began)
    sized = replace(OLD, documents=60_000)

    assert replace(KEPT, exports=(sized,), proofs=(older, timed)).measured_rate(RestoreSource.EXPORT) == 100
    assert replace(KEPT, exports=(sized,), proofs=(timed,)).measured_rate(RestoreSource.NATIVE) is None
    assert replace(KEPT, exports=(OLD,), proofs=(timed,)).measured_rate(RestoreSource.EXPORT) is None
    assert replace(KEPT, exports=(sized,), proofs=PROVEN).measured_rate(RestoreSource.EXPORT) is None
