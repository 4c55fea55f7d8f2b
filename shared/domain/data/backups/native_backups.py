"""Whether Google's own backups of a database are there; a schedule does not tell. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from shared.core.codec import StoredDocument, documents_of
from shared.domain.data.backups.backup_records import BackupSchedule, Database, NativeBackup, Recurrence

GRACE_PERIOD = timedelta(days=1)
"""Google chooses the hour of a scheduled backup, and may choose another one each day."""
CHECK_INTERVAL = timedelta(hours=1)
managed_backups_path = documents_of("watched")
"""Where it is kept what was found."""


class ManagedBackupStatus(StoredDocument):
    """What was found the last time, `watched/{system}`."""

    system: str
    looked_at: datetime
    faults: tuple[str, ...] = ()


def find_backup_faults(
    database: Database, schedules: Iterable[BackupSchedule], backups: Sequence[NativeBackup], now: datetime
) -> Iterator[str]:
    """What is missing, each in words."""
    if not database.point_in_time_recovery:
        yield "point-in-time recovery is off: the past hour is all that can be read"
    there = {one.recurrence: one for one in schedules}
    for recurrence in Recurrence:
        schedule = there.get(recurrence)
        if schedule is None:
            yield f"there is no {recurrence} backup schedule"
        elif _is_silent(schedule, backups, now):
            yield f"the {recurrence} backup schedule has made nothing that is ready for too long"


def _is_silent(schedule: BackupSchedule, backups: Iterable[NativeBackup], now: datetime) -> bool:
    """Return whether its newest backup is too old; the retention tells whose backup it is."""
    made = [
        one.snapshot_at
        for one in backups
        if one.is_ready and abs(one.expires_at - one.snapshot_at - schedule.kept) < GRACE_PERIOD
    ]
    return now - max([schedule.created_at, *made]) > schedule.recurrence.interval + GRACE_PERIOD
