"""Backups of a database: exports, Google's own, and the objects they lie in."""

from datetime import datetime, timedelta
from enum import StrEnum

from shared.core.codec import FrozenStruct

_LONGEST_SYSTEM = 40
"""Of its name, in that of a database: as much is left for what else stands there."""


class Export(FrozenStruct):
    """An export as its operation tells it."""

    operation: str
    """`projects/P/databases/D/operations/ID`."""
    prefix: str
    """Where its files are: `gs://BUCKET/FOLDER`."""
    began_at: datetime
    snapshot_at: datetime | None
    """The moment that it holds; None: not one moment."""
    ended_at: datetime | None = None
    failure: str = ""
    documents: int = 0
    """Written, by the service's own count; 0 until it is over."""

    @property
    def is_whole(self) -> bool:
        """Whether it is over, and good as far as the service says."""
        return self.ended_at is not None and not self.failure


class Database(FrozenStruct):
    """A database's own account of how far back it can be read."""

    location: str
    point_in_time_recovery: bool
    earliest_at: datetime


class Recurrence(StrEnum):
    """How often a native schedule makes a backup."""

    DAILY = "daily"
    WEEKLY = "weekly"

    @property
    def interval(self) -> timedelta:
        """From one backup to the next."""
        return timedelta(days=1 if self is Recurrence.DAILY else 7)


class BackupSchedule(FrozenStruct):
    """A native backup schedule; it tells nothing of whether it works."""

    recurrence: Recurrence
    kept: timedelta
    created_at: datetime


class NativeBackup(FrozenStruct):
    """A backup that a schedule made. Nothing holds it beyond its expiry."""

    name: str
    """`projects/P/locations/L/backups/ID`."""
    snapshot_at: datetime
    expires_at: datetime
    is_ready: bool
    documents: int = 0


class ObjectMetadata(FrozenStruct):
    """What a bucket says of an object, without its content."""

    size_bytes: int
    crc32c: str
    """Base64 of four bytes, big-endian, as Cloud Storage writes it."""


class RestoreProgress(FrozenStruct):
    """How far a database that is filled has come."""

    operation: str
    """`projects/P/databases/D/operations/ID`."""
    began_at: datetime
    ended_at: datetime | None = None
    failure: str = ""
    percent: int = 0
    """By the service's own account; 0 where it gives none."""


def database_name_part(system: str) -> str:
    """A system's name as part of a database's: that takes 63 signs, and no underscore.

    https://firebase.google.com/docs/firestore/reference/rest/v1/projects.databases/create, read
    2026-11.
    """
    return system.replace("_", "--")[:_LONGEST_SYSTEM].rstrip("-")
