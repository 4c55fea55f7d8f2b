"""The databases of one project in memory: how many documents there are, exports, native backups."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.errors import Exists, Rejected
from shared.core.runtime import Clock
from shared.domain.data.backups.backup_records import (
    BackupSchedule,
    Database,
    Export,
    NativeBackup,
    Recurrence,
)
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook
from tests.support.fakes.storage.mirrors import MemoryMirrors

EXPORT_TAKES = timedelta(minutes=2)
PAST_HOUR = timedelta(hours=1)
WINDOW = timedelta(days=7)
MINUTE = timedelta(minutes=1)


@dataclass
class _Known:
    """One database: its documents per collection from each moment on."""

    created_at: datetime
    history: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)
    schedules: list[BackupSchedule] = field(default_factory=list)
    backups: list[NativeBackup] = field(default_factory=list)


@dataclass
class _Begun:
    export: Export
    counts: dict[str, int]
    failure: str


class FakeDatabases:
    """Exports and Backups; an export's files go into `mirrors`.

    Verbs for the hook: exports.begin, .find, .look; backups.database, .schedules, .backups.
    """

    def __init__(self, clock: Clock, mirrors: MemoryMirrors, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.point_in_time_recovery = True
        self.failures: list[str] = []
        """Why the next exports fail, late, first to last; then none does."""
        self._clock = clock
        self._mirrors = mirrors
        self._known: dict[str, _Known] = {}
        self._exports: dict[str, _Begun] = {}

    def hold_documents(self, database: str, **counts: int) -> None:
        """Let a database have so many documents per collection from now on."""
        self._at_hand(database).history.append((self._clock.now(), counts))

    def schedule(self, database: str, recurrence: Recurrence, kept: timedelta) -> None:
        """Let a native schedule be there, which makes nothing by itself."""
        self._at_hand(database).schedules.append(BackupSchedule(recurrence, kept, self._clock.now()))

    def back_up(self, database: str, kept: timedelta) -> None:
        """Let a native backup of this moment be there."""
        now, known = self._clock.now(), self._at_hand(database)
        name = f"projects/p/locations/nam5/backups/{len(known.backups)}"
        counts = known.history[-1][1].values()
        known.backups.append(NativeBackup(name, now, now + kept, True, sum(counts)))

    @property
    def begun(self) -> list[str]:
        """The prefixes of all exports that were ever begun."""
        return [one.export.prefix for one in self._exports.values()]

    def begin(self, database: str, prefix: str, snapshot_at: datetime) -> str:
        """A new operation, which ends later."""
        with ask_hook_around(self.hook, "exports.begin"):
            bucket, folder = _place(prefix)
            if snapshot_at.second or snapshot_at.microsecond:
                raise Rejected("INVALID_ARGUMENT: not a whole minute")
            for operation in self._exports:
                self._seen(operation)
            counts = self._counts(database, snapshot_at)
            if _closing(folder) in self._mirrors.list_objects(bucket, folder):
                raise Exists(f"Path already exists: /{bucket}/{folder}")
            operation = f"projects/p/databases/{database}/operations/{len(self._exports)}"
            failure = self.failures.pop(0) if self.failures else ""
            export = Export(operation, prefix, self._clock.now(), snapshot_at)
            self._exports[operation] = _Begun(export, counts, failure)
            for collection, count in counts.items():
                self._mirrors.buckets[bucket][_output(folder, collection)] = b"x" * count
            return operation

    def find(self, database: str, prefix: str) -> Export | None:
        """The newest with that prefix."""
        with ask_hook_around(self.hook, "exports.find"):
            owned = f"projects/p/databases/{database}/operations/"
            found = [
                name
                for name, one in self._exports.items()
                if one.export.prefix == prefix and name.startswith(owned)
            ]
            return self._seen(found[-1]) if found else None

    def look(self, operation: str) -> Export:
        """The operation as of now."""
        with ask_hook_around(self.hook, "exports.look"):
            if operation not in self._exports:
                raise Rejected(f"NOT_FOUND: {operation}")
            return self._seen(operation)

    def database(self, database: str) -> Database:
        """As it would say it."""
        with ask_hook_around(self.hook, "backups.database"):
            known = self._read(database)
            return Database("nam5", self.point_in_time_recovery, self._earliest(known))

    def schedules(self, database: str) -> list[BackupSchedule]:
        """Daily before weekly."""
        with ask_hook_around(self.hook, "backups.schedules"):
            return sorted(self._read(database).schedules, key=lambda one: one.recurrence)

    def backups(self, database: str) -> list[NativeBackup]:
        """What has not expired; of a database that is not there, too."""
        with ask_hook_around(self.hook, "backups.backups"):
            now, known = self._clock.now(), self._known.get(database)
            return [one for one in known.backups if one.expires_at > now] if known else []

    def _seen(self, operation: str) -> Export:
        begun = self._exports[operation]
        due = begun.export.began_at + EXPORT_TAKES
        if begun.export.ended_at is None and self._clock.now() >= due:
            begun.export = replace(begun.export, ended_at=due, failure=begun.failure)
            if not begun.failure:
                bucket, folder = _place(begun.export.prefix)
                self._mirrors.buckets[bucket][_closing(folder)] = b"whole"
                begun.export = replace(begun.export, documents=sum(begun.counts.values()))
        return begun.export

    def _counts(self, database: str, at: datetime) -> dict[str, int]:
        known, now = self._read(database), self._clock.now()
        coarse = at < now - PAST_HOUR and (at.second or at.microsecond)
        if at > now or at < self._oldest() or coarse:
            raise Rejected(f"the moment {at} cannot be read")
        return next((counts for since, counts in reversed(known.history) if since <= at), {})

    def _earliest(self, known: _Known) -> datetime:
        return max(known.created_at, self._oldest())

    def _oldest(self) -> datetime:
        return self._clock.now() - (WINDOW if self.point_in_time_recovery else PAST_HOUR)

    def _at_hand(self, database: str) -> _Known:
        return self._known.setdefault(database, _Known(self._clock.now()))

    def _read(self, database: str) -> _Known:
        if database not in self._known:
            raise Rejected(f"NOT_FOUND: there is no database {database}")
        return self._known[database]


def _place(prefix: str) -> tuple[str, str]:
    bucket, _, folder = prefix.removeprefix("gs://").partition("/")
    return bucket, folder


def _output(folder: str, collection: str) -> str:
    return f"{folder}/all_namespaces/kind_{collection}/output-0"


def _closing(folder: str) -> str:
    return f"{folder}/{folder.rpartition('/')[2]}.overall_export_metadata"
