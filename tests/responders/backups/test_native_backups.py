"""Google's own backups are watched: what is absent or silent is told once, and when it is back."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.core.errors import Unavailable
from shared.core.store import Query
from shared.domain.data.backups import native_backups
from shared.domain.data.backups.backup_records import BackupSchedule, Database, NativeBackup, Recurrence
from shared.domain.policy.resources import BackupRules
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import no_hook
from tests.support.notices.system_events import tick_clock
from tests.support.runtime.world import BOOKSHOP, World

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
DAILY = BackupSchedule(Recurrence.DAILY, 7 * DAY, START - 30 * DAY)
WEEKLY = BackupSchedule(Recurrence.WEEKLY, 98 * DAY, START - 30 * DAY)
SILENT = "the {} backup schedule has made nothing that is ready for too long"


def database(*, recovery: bool = True) -> Database:
    return Database("nam5", recovery, START - 7 * DAY)


def made(schedule: BackupSchedule, ago: timedelta, *, ready: bool = True) -> NativeBackup:
    """A backup of a schedule, so long ago."""
    at = START - ago
    return NativeBackup(f"b-{at}", at, at + schedule.kept, ready)


@pytest.mark.parametrize(
    ("name", "recovery", "schedules", "backups", "expected"),
    [
        ("all well", True, [DAILY, WEEKLY], [made(DAILY, DAY), made(WEEKLY, 7 * DAY)], []),
        ("barely well", True, [DAILY, WEEKLY], [made(DAILY, 2 * DAY), made(WEEKLY, 8 * DAY)], []),
        (
            "daily silent",
            True,
            [DAILY, WEEKLY],
            [made(DAILY, 2 * DAY + MOMENT), made(WEEKLY, DAY)],
            [SILENT.format("daily")],
        ),
        (
            "weekly silent behind the daily",
            True,
            [DAILY, WEEKLY],
            [made(DAILY, DAY), made(WEEKLY, 8 * DAY + MOMENT)],
            [SILENT.format("weekly")],
        ),
        (
            "never ready",
            True,
            [DAILY, WEEKLY],
            [made(DAILY, DAY, ready=False), made(WEEKLY, DAY)],
            [SILENT.format("daily")],
        ),
        (
            "both young",
            True,
            [replace(DAILY, created_at=START - DAY), replace(WEEKLY, created_at=START)],
            [],
            [],
        ),
        (
            "nothing there",
            False,
            [],
            [],
            [
                "point-in-time recovery is off: the past hour is all that can be read",
                "there is no daily backup schedule",
                "there is no weekly backup schedule",
            ],
        ),
    ],
)
def test_what_is_missing(
    name: str,
    recovery: bool,
    schedules: list[BackupSchedule],
    backups: list[NativeBackup],
    expected: list[str],
) -> None:
    """A schedule that is there proves nothing: the age of its newest backup does."""
    found = native_backups.find_backup_faults(database(recovery=recovery), schedules, backups, START)

    assert list(found) == expected, name


def world() -> World:
    """A system with both schedules and their first backups, whose policy wants them."""
    shop = World(policy=replace(BOOKSHOP, backups=BackupRules(native=True)))
    known = shop.ports.databases
    known.hold_documents("(default)", users=1)
    for schedule in (DAILY, WEEKLY):
        known.schedule("(default)", schedule.recurrence, schedule.kept)
        known.back_up("(default)", schedule.kept)
    return shop


def texts(shop: World) -> list[str]:
    notices = shop.store.query(Query("notices", order_by="created_at"))
    told = [str(one.fields["text"]) for one in notices if one.fields]
    return list(dict.fromkeys(one for one in told if "Google's own" in one))


def test_a_silent_schedule_is_told_once_and_again_when_it_speaks() -> None:
    """However often it is looked at, and by whichever instance."""
    shop = world()
    tick_clock(shop)
    assert texts(shop) == []

    shop.advance_clock(3 * DAY)
    for _ in range(3):
        tick_clock(shop)
        shop.start_instances()
        shop.advance_clock(HOUR)
    silent = f"bookshop: Google's own backups are incomplete\n{SILENT.format('daily')}"
    assert texts(shop) == [silent]

    shop.ports.databases.back_up("(default)", DAILY.kept)
    shop.advance_clock(HOUR)
    tick_clock(shop)
    assert texts(shop) == [silent, "bookshop: Google's own backups are complete again"]


def test_what_cannot_be_seen_is_not_called_missing() -> None:
    """It is looked at again with the next minute."""
    shop = world()

    def silent(verb: str, side: str) -> None:
        if verb.startswith("backups."):
            raise Unavailable("no answer")

    shop.ports.databases.point_in_time_recovery = False
    shop.ports.databases.hook = silent
    tick_clock(shop)
    assert texts(shop) == []

    shop.ports.databases.hook = no_hook
    tick_clock(shop)
    assert len(texts(shop)) == 1


def test_a_policy_that_does_not_want_them_asks_nothing() -> None:
    """No call is made for it."""
    shop = World()
    asked: list[str] = []
    shop.ports.databases.hook = lambda verb, side: asked.append(verb)

    tick_clock(shop)

    assert asked == []
