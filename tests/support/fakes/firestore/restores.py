"""Databases made of backups, or of the past, in memory: with the documents of the original then."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.errors import Exists, Moved, Rejected
from shared.core.runtime import Clock
from shared.domain.data.backups.backup_records import RestoreProgress
from tests.support.fakes.firestore.databases import FakeDatabases
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

TAKES = timedelta(minutes=5)
ORIGINAL = "(default)"
PLACE = "nam5"


class FakeRestores:
    """A Restores over the fakes of backups and documents.

    Verbs for the hook: restores.create, .fill, .restore, .clone, .find, .look, .delete, .remove,
    .names.
    """

    def __init__(
        self, clock: Clock, databases: FakeDatabases, documents: FakeDocuments, hook: Hook = no_hook
    ) -> None:
        self.hook = hook
        self.failures: list[str] = []
        """Why the next ones fail, late, first to last; then none does."""
        self.made: list[str] = [ORIGINAL]
        self.protected: set[str] = set()
        """Databases that nobody may delete."""
        self.ever: list[str] = []
        """Every database that was ever made, in order."""
        self._clock = clock
        self._databases = databases
        self._documents = documents
        self._running: dict[str, tuple[RestoreProgress, str]] = {}

    def create(self, database: str, location: str) -> None:
        """Empty, and there at once."""
        with ask_hook_around(self.hook, "restores.create"):
            if location != PLACE:
                raise Rejected(f"INVALID_ARGUMENT: there is no place {location}")
            self._make(database)

    def fill(self, database: str, prefix: str) -> str:
        """With what was there at the moment of the export."""
        with ask_hook_around(self.hook, "restores.fill"):
            if database not in self.made:
                raise Rejected(f"NOT_FOUND: there is no database {database}")
            export = self._databases.find(ORIGINAL, prefix)
            if export is None or not export.is_whole or export.snapshot_at is None:
                raise Rejected(f"NOT_FOUND: there is no whole export {prefix}")
            return self._begin(database, export.snapshot_at)

    def restore(self, database: str, backup: str) -> str:
        """With what was there at the moment of the backup."""
        with ask_hook_around(self.hook, "restores.restore"):
            known = {one.name: one for one in self._databases.backups(ORIGINAL)}
            if backup not in known:
                raise Rejected(f"NOT_FOUND: there is no backup {backup}")
            self._make(database)
            return self._begin(database, known[backup].snapshot_at)

    def clone(self, database: str, original: str, at: datetime) -> str:
        """With what was there then."""
        with ask_hook_around(self.hook, "restores.clone"):
            past = self._databases.database(original)
            if at < past.earliest_at or at > self._clock.now() or at.second or at.microsecond:
                raise Rejected(f"INVALID_ARGUMENT: {at} cannot be read")
            self._make(database)
            return self._begin(database, at)

    def find(self, database: str) -> RestoreProgress | None:
        """The newest of the database."""
        with ask_hook_around(self.hook, "restores.find"):
            owned = f"projects/p/databases/{database}/operations/"
            found = [name for name in self._running if name.startswith(owned)]
            return self._seen(found[-1]) if found else None

    def look(self, operation: str) -> RestoreProgress:
        """As of now."""
        with ask_hook_around(self.hook, "restores.look"):
            if operation not in self._running:
                raise Rejected(f"NOT_FOUND: {operation}")
            return self._seen(operation)

    def delete(self, database: str) -> None:
        """With its documents."""
        with ask_hook_around(self.hook, "restores.delete"):
            owned = f"projects/p/databases/{database}/operations/"
            for name in [one for one in self._running if one.startswith(owned)]:
                if self._seen(name).ended_at is None:
                    raise Moved(f"FAILED_PRECONDITION: {database} is being filled")
            if database in self.protected:
                raise Moved(f"FAILED_PRECONDITION: {database} is protected from deletion")
            if database in self.made:
                self.made.remove(database)
                self._documents.drop(database)

    def remove(self, database: str, paths: Sequence[str]) -> None:
        """From now on."""
        with ask_hook_around(self.hook, "restores.remove"):
            self._documents.write(database, dict.fromkeys(paths))

    def names(self) -> list[str]:
        """Those that are there."""
        with ask_hook_around(self.hook, "restores.names"):
            return sorted(self.made)

    def _make(self, database: str) -> None:
        if database in self.made:
            raise Exists(f"ALREADY_EXISTS: {database}")
        self.made.append(database)
        self.ever.append(database)

    def _begin(self, database: str, at: datetime) -> str:
        operation = f"projects/p/databases/{database}/operations/{len(self._running)}"
        failure = self.failures.pop(0) if self.failures else ""
        self._running[operation] = RestoreProgress(operation, self._clock.now()), failure
        self._documents.fill(database, ORIGINAL, at)
        return operation

    def _seen(self, operation: str) -> RestoreProgress:
        begun, failure = self._running[operation]
        due = begun.began_at + TAKES
        if begun.ended_at is None and self._clock.now() >= due:
            begun = replace(begun, ended_at=due, failure=failure)
            self._running[operation] = begun, failure
        return begun
