"""Ports to backups: exports, managed backups, restores, bucket mirrors."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shared.domain.data.backups import backup_records


class Exports(Protocol):
    """Exports of one project's databases; each ends minutes to hours after it was begun."""

    def begin(self, database: str, prefix: str, snapshot_at: datetime) -> str:
        """The operation of a new export of all collections, as of one whole minute.

        The name of a whole export is taken; that of one that still runs is not: `find` it first.
        Raises: Exists (taken); Rejected (no such bucket, a moment that cannot be read); Ambiguous.
        """

    def find(self, database: str, prefix: str) -> backup_records.Export | None:
        """The export that was begun last under that name, whoever began it; None: nobody did."""

    def look(self, operation: str) -> backup_records.Export:
        """How far an export has come. Raises: Rejected when it is not known any more."""


class Backups(Protocol):
    """Google's own backups of one project's databases, for looking."""

    def database(self, database: str) -> backup_records.Database:
        """How far back it can be read. Raises: Rejected when there is no such database."""

    def schedules(self, database: str) -> list[backup_records.BackupSchedule]:
        """Its schedules, two at most."""

    def backups(self, database: str) -> list[backup_records.NativeBackup]:
        """What its schedules made and has not expired, the oldest first.

        Raises: Unavailable, when a location did not answer, too: absent is not gone.
        """


class Restores(Protocol):
    """New databases of one project, filled from backups or from the past; in minutes to hours.

    Nothing is restored into a database that an application uses: `fill` overwrites what is there.
    """

    def create(self, database: str, location: str) -> None:
        """Begin an empty database. Raises: Exists; Rejected (no place, no right); Ambiguous."""

    def fill(self, database: str, prefix: str) -> str:
        """The operation that puts a whole export, `gs://BUCKET/FOLDER`, into a database.

        Raises: Rejected (no such database yet, or export); Ambiguous.
        """

    def restore(self, database: str, backup: str) -> str:
        """The operation that makes a new database of a native backup, at the backup's place.

        Raises: Exists; Rejected (no such backup); Moved (it is not ready); Ambiguous.
        """

    def clone(self, database: str, original: str, at: datetime) -> str:
        """The operation that makes a new database of what one was at a whole minute, beside it.

        Raises: Exists; Rejected (no such database, or minute that can be read); Ambiguous.
        """

    def find(self, database: str) -> backup_records.RestoreProgress | None:
        """What fills the database, or filled it last, whoever began it; None: nobody did."""

    def look(self, operation: str) -> backup_records.RestoreProgress:
        """How far it has come. Raises: Rejected when it is not known any more."""

    def delete(self, database: str) -> None:
        """Delete a database, if it exists. Raises: Moved (used, protected); Rejected; Ambiguous."""

    def remove(self, database: str, paths: Sequence[str]) -> None:
        """Let up to 500 documents of a database that was made so be gone, whatever they are.

        Raises: Rejected; Ambiguous, Throttled (none is gone).
        """

    def names(self) -> list[str]:
        """The ids of all databases, those that are being made too, in order."""


class Mirrors(Protocol):
    """Objects of several buckets, copied by the service itself and compared."""

    def list_objects(self, bucket: str, prefix: str) -> dict[str, backup_records.ObjectMetadata]:
        """Every live object whose name begins so. Raises: Rejected (no such bucket)."""

    def copy(self, source: str, name: str, target: str, token: str = "") -> str:
        """Copy a part of an object to the same name in another bucket; what was there is replaced.

        "" when the copy is whole; otherwise the token that goes on with it.
        Raises: Rejected (no such object, or a token that is too old); Ambiguous.
        """

    def write(self, bucket: str, name: str, content: bytes) -> None:
        """Keep JSON under a name that is free. Raises: Exists; Rejected; Ambiguous, Throttled."""

    def hold(self, bucket: str, name: str, *, held: bool) -> None:
        """Let nobody delete or replace an object, the bucket's own rules included, or let them.

        Raises: Rejected (no such object); Ambiguous.
        """
