"""Backup schedules, and the backups that they make by themselves.

https://cloud.google.com/firestore/docs/backups (read 2026-11): at most one daily and one weekly
schedule per database, kept for 14 weeks at most, at an hour that Google chooses. Here that is
midnight in UTC.
"""

import re
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_admin_v1 import types

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.firestore.admin.exports import documents
from local.services.firestore.commit_engine import FirestoreEngine
from local.services.firestore.data.databases import Databases
from local.services.firestore.messages import Document
from local.services.firestore.statuses import already_exists, invalid_argument, not_found, unimplemented
from local.services.firestore.timeline import to_micros

BACKUP_DURATION = timedelta(minutes=5)
"""A time of its own: Google publishes none."""
MAX_RETENTION = timedelta(weeks=14)

_DAY = timedelta(days=1)
_SCHEDULES, _BACKUPS, _LOOKED = (
    "firestore-backup-schedules",
    "firestore-backups",
    "firestore-backups-looked",
)
_FILTER = re.compile(r'(database|database_uid)\s*[=:]\s*"([^"]+)"')
_Schedule = types.BackupSchedule.pb()
_Backup = types.Backup.pb()
_READY, _CREATING = types.Backup.State.READY, types.Backup.State.CREATING


class DatabaseBackups:
    """The schedules and backups of all databases; safe for threads."""

    def __init__(
        self,
        engine: FirestoreEngine,
        databases: Databases,
        clock: CloudClock,
        journal: Journal,
        faults: FaultHooks,
    ) -> None:
        self._engine = engine
        self._databases = databases
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._lock = threading.RLock()
        self._schedules = {name: _Schedule.FromString(value) for name, value in journal.read(_SCHEDULES)}
        self._backups = {name: _Backup.FromString(value) for name, value in journal.read(_BACKUPS)}
        self._looked = clock.now()
        for _, value in journal.read(_LOOKED):
            self._looked = datetime.fromisoformat(value.decode())

    def schedule(self, name: str) -> Any:
        """A schedule by its full name. Raises: Refused NOT_FOUND."""
        with self._lock:
            if name not in self._schedules:
                raise not_found(f'There is no backup schedule "{name}".')
            return self._schedules[name]

    def schedules(self, database: str) -> list[Any]:
        """Those of a database."""
        with self._lock:
            known = sorted(self._schedules.items())
        return [one for name, one in known if name.startswith(f"{database}/backupSchedules/")]

    def create_schedule(self, database: str, asked: Any) -> Any:
        """A new schedule. Raises: Refused INVALID_ARGUMENT, ALREADY_EXISTS."""
        kind = asked.WhichOneof("recurrence")
        if kind is None:
            raise invalid_argument("A schedule needs a recurrence.")
        _check_schedule(asked)
        with self._lock:
            if any(one.WhichOneof("recurrence") == kind for one in self.schedules(database)):
                raise already_exists(f"The database has a {kind} already.")
            schedule = _Schedule()
            schedule.CopyFrom(asked)
            seed = f"{database} {kind} {self._clock.now().isoformat()}"
            schedule.name = f"{database}/backupSchedules/{uuid.uuid5(uuid.NAMESPACE_URL, seed)}"
            schedule.create_time.FromDatetime(self._clock.now())
            self._keep_schedule(schedule)
            return schedule

    def update_schedule(self, asked: Any) -> Any:
        """The schedule, whose next backups are kept as long as `asked` says. Raises: Refused."""
        _check_schedule(asked)
        with self._lock:
            schedule = _Schedule()
            schedule.CopyFrom(self.schedule(asked.name))
            schedule.retention.CopyFrom(asked.retention)
            self._keep_schedule(schedule)
            return schedule

    def delete_schedule(self, name: str) -> None:
        """No more backups; those that it made stay. Raises: Refused NOT_FOUND."""
        with self._lock:
            self.schedule(name)
            self._journal.write(_SCHEDULES, [(name, None)])
            del self._schedules[name]

    def backup(self, name: str) -> Any:
        """A backup by its full name. Raises: Refused NOT_FOUND."""
        with self._lock:
            found = self._backups.get(name)
        if found is None or found.expire_time.ToDatetime(UTC) <= self._clock.now():
            raise not_found(f'There is no backup "{name}".')
        return self._as_of_now(found)

    def of(self, parent: str, wanted: str) -> list[Any]:
        """The backups of `projects/P/locations/L` (`-`: of all), by name.

        The filter is empty, `database="…"` or `database_uid="…"`.
        Raises: Refused UNIMPLEMENTED for another one.
        """
        chosen = _FILTER.fullmatch(wanted)
        if wanted and chosen is None:
            raise unimplemented(f"The filter '{wanted}' is not served here.")
        project, _, location = parent.partition("/locations/")
        with self._lock:
            known = sorted(self._backups.items())
        return [
            self._as_of_now(one)
            for name, one in known
            if name.startswith(f"{project}/locations/")
            and location in ("-", name.split("/")[3])
            and one.expire_time.ToDatetime(UTC) > self._clock.now()
            and (chosen is None or getattr(one, chosen[1]) == chosen[2])
        ]

    def delete(self, name: str) -> None:
        """Let a backup be gone. Raises: Refused NOT_FOUND."""
        with self._lock:
            self.backup(name)
            self._drop(name)

    def backup_documents(self, name: str) -> Iterator[Document]:
        """The documents of a backup, under their names in the database that it is of."""
        for _, stored in self._journal.read(_content_service(name)):
            yield Document.FromString(stored)

    def catch_up(self) -> None:
        """Make the backups whose midnight has passed, and let go of those that are over.

        What a leap of the clock passes by is made as far as it would still be kept.
        """
        with self._lock:
            now = self._clock.now()
            midnight = self._looked.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
            while midnight <= now:
                for schedule in list(self._schedules.values()):
                    if _is_backup_due(schedule, midnight):
                        self._make(schedule, midnight)
                midnight += _DAY
            self._looked = now
            self._journal.write(_LOOKED, [("at", now.isoformat().encode())])
            for name, backup in list(self._backups.items()):
                if backup.expire_time.ToDatetime(UTC) <= now:
                    self._drop(name)

    def _make(self, schedule: Any, time: datetime) -> None:
        expires = time + schedule.retention.ToTimedelta()
        name = schedule.name.partition("/backupSchedules/")[0]
        if expires <= self._clock.now() or self._faults.fate(f"operation {schedule.name}").failure:
            return
        try:
            database = self._databases.find(name)
        except StatusError:
            return  # a schedule outlives its database, and makes nothing
        project = name.partition("/databases/")[0]
        id_ = uuid.uuid5(uuid.NAMESPACE_URL, f"{schedule.name} {time.isoformat()}")
        backup = _Backup(
            name=f"{project}/locations/{database.location_id}/backups/{id_}",
            database=name,
            database_uid=database.uid,
        )
        backup.snapshot_time.FromDatetime(time)
        backup.expire_time.FromDatetime(expires)
        with self._engine.read_at(to_micros(backup.snapshot_time)) as view:
            found = list(documents(view, name))
        backup.stats.document_count = len(found)
        backup.stats.size_bytes = sum(one.ByteSize() for one in found)
        self._journal.write(
            _content_service(backup.name), [(one.name, one.SerializeToString()) for one in found]
        )
        self._journal.write(_BACKUPS, [(backup.name, backup.SerializeToString())])
        self._backups[backup.name] = backup

    def _as_of_now(self, backup: Any) -> Any:
        ready_at = backup.snapshot_time.ToDatetime(UTC) + BACKUP_DURATION
        shown = _Backup()
        shown.CopyFrom(backup)
        shown.state = _READY if self._clock.now() >= ready_at else _CREATING
        return shown

    def _drop(self, name: str) -> None:
        kept = [(key, None) for key, _ in self._journal.read(_content_service(name))]
        self._journal.write(_content_service(name), kept)
        self._journal.write(_BACKUPS, [(name, None)])
        del self._backups[name]

    def _keep_schedule(self, schedule: Any) -> None:
        schedule.update_time.FromDatetime(self._clock.now())
        self._journal.write(_SCHEDULES, [(schedule.name, schedule.SerializeToString())])
        self._schedules[schedule.name] = schedule


def _check_schedule(schedule: Any) -> None:
    kept = schedule.retention.ToTimedelta()
    if not timedelta() < kept <= MAX_RETENTION:
        raise invalid_argument("Backups are kept for 14 weeks at most.")


def _is_backup_due(schedule: Any, midnight: datetime) -> bool:
    if schedule.create_time.ToDatetime(UTC) > midnight:
        return False
    if schedule.WhichOneof("recurrence") == "daily_recurrence":
        return True
    day: int = schedule.weekly_recurrence.day  # google.type.DayOfWeek: Monday is 1
    return midnight.isoweekday() == day


def _content_service(backup: str) -> str:
    return f"firestore-backup {backup}"
