"""A day of backups over the real adapters, on an embedded cloud whose clock is moved by hand."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from google.cloud.firestore_admin_v1 import types
from msgspec.structs import replace

from local.cloud import Cloud
from local.faults.plan import FaultPlan, OperationFault
from responders.backups.export import advance_exports
from responders.backups.native_backups import check_native_backups
from shared.core.store import Create
from shared.domain.data.backups.export import Backup, ExportStatus
from shared.domain.policy.resources import BackupRules
from shared.state.reader import StateReader
from shared.wiring.adapters import Wiring
from tests.local.support.rest import SHOP
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.embedded_cloud import embedded_cloud, wired

DATABASE = "projects/shop/databases/(default)"
RULES = BackupRules(bucket="shop-exports", second="shop-copies", collections=("a",), native=True)
POLICY = replace(SHOP, backups=RULES)
MINUTE = timedelta(minutes=1)
NO_SPACE = OperationFault(f"{DATABASE}/exportDocuments", failure="no space", times=1)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(POLICY, at=START - timedelta(hours=2), point_in_time_recovery=True) as cloud:
        yield cloud


@pytest.fixture
def wiring(cloud: Cloud) -> Iterator[Wiring]:
    """The responders of the shop, whose state lies beside its documents."""
    with wired(cloud, database="(default)") as writer:
        writer.store.commit([Create(f"a/{number}", {"n": number}) for number in range(3)])
    cloud.clock.advance(5 * MINUTE)
    with wired(cloud, POLICY, database="(default)") as wiring:
        yield wiring


def pass_time(cloud: Cloud, wiring: Wiring, span: timedelta, step: timedelta = MINUTE) -> None:
    until = cloud.clock.now() + span
    while cloud.clock.now() < until:
        cloud.clock.advance(step)
        cloud.settle()
        advance_exports(wiring, wiring.policies)
        check_native_backups(wiring, wiring.policies)


def catalogue(wiring: Wiring) -> list[Backup]:
    return StateReader(wiring.store).backups(POLICY.system)


def test_a_backup_over_the_wire(cloud: Cloud, wiring: Wiring) -> None:
    """The first export fails late; the second is whole, and lies alike in both buckets."""
    cloud.injector.install(FaultPlan(operations=(NO_SPACE,)))

    pass_time(cloud, wiring, 9 * MINUTE)

    [kept] = catalogue(wiring)
    assert (kept.status, kept.attempt, kept.counts) == (ExportStatus.KEPT, 2, {"a": 3})
    assert kept.documents >= 3
    here, there = (
        {one.name: one.content for one in cloud.buckets.all(bucket, versions=False)}
        for bucket in ("shop-exports", "shop-copies")
    )
    assert there == {name: content for name, content in here.items() if "Z-2/" in name}
    assert len(there) == kept.objects
    assert sum(map(len, there.values())) == kept.size_bytes


def test_native_backups_over_the_wire(cloud: Cloud, wiring: Wiring) -> None:
    """Both schedules are missing, then there, and one is silent in the end."""
    admin, reading = wiring.clients.firestore_admin, StateReader(wiring.store)
    pass_time(cloud, wiring, MINUTE)
    watched = reading.managed_backup_status(POLICY.system)
    assert watched is not None
    assert [one.split()[3] for one in watched.faults] == ["daily", "weekly"]

    daily = types.BackupSchedule(retention=timedelta(days=7), daily_recurrence=types.DailyRecurrence())
    made = admin.create_backup_schedule(parent=DATABASE, backup_schedule=daily)
    silent = OperationFault(made.name, failure="silent")
    cloud.injector.install(FaultPlan(operations=(silent,)))
    pass_time(cloud, wiring, timedelta(days=3), timedelta(hours=6))

    watched = reading.managed_backup_status(POLICY.system)
    assert watched is not None
    assert "the daily backup schedule has made nothing" in watched.faults[0]
