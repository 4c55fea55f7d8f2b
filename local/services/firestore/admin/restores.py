"""New databases out of old documents: restored from a backup, or cloned from a point in time."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from google.cloud.firestore_admin_v1 import types
from google.protobuf.message import Message

from local.services.firestore.admin.backups import DatabaseBackups
from local.services.firestore.admin.exports import documents, open_snapshot
from local.services.firestore.admin.operations import LongRunningOperations
from local.services.firestore.commit_engine import FirestoreEngine
from local.services.firestore.data.databases import Databases, DatabaseState
from local.services.firestore.messages import Document
from local.services.firestore.statuses import failed_precondition, invalid_argument

RESTORE_DURATION = timedelta(minutes=10)
"""A time of its own: Google publishes none."""
RESTORE, CLONE = "restoreDatabase", "cloneDatabase"
RESTORED = types.RestoreDatabaseMetadata.pb()
CLONED = types.CloneDatabaseMetadata.pb()

_Database = types.Database.pb()
_State = types.OperationState
_READY = types.Backup.State.READY
_BACKUP = re.compile(r"(projects/[^/]+)/locations/([^/]+)/backups/[^/]+")


class DatabaseRestores:
    """Restores and clones. A new database is there at once, and closed until its operation ends.

    References in documents keep naming the database that they were written in.
    """

    def __init__(
        self,
        engine: FirestoreEngine,
        databases: Databases,
        backups: DatabaseBackups,
        lasting: LongRunningOperations,
    ) -> None:
        self._engine = engine
        self._databases = databases
        self._backups = backups
        self._lasting = lasting

    def restore(self, request: Any) -> Message:
        """The operation that fills a new database from a backup that is ready. Raises: Refused."""
        named = _BACKUP.fullmatch(request.backup)
        if named is None or named[1] != request.parent:
            raise invalid_argument(f'"{request.backup}" is no backup of {request.parent}.')
        backup = self._backups.backup(request.backup)
        if backup.state != _READY:
            raise failed_precondition(f"The backup {backup.name} is not ready.")
        found = list(self._backups.backup_documents(backup.name))
        made = self._begin(request, backup.database, named[2], found)
        metadata = RESTORED(operation_state=_State.PROCESSING, database=made.name, backup=backup.name)
        return self._lasting.begin(RESTORE, made.name, metadata, RESTORE_DURATION)

    def clone(self, request: Any) -> Message:
        """The operation that fills a new database with what one was at a whole minute.

        Raises: Refused.
        """
        past = request.pitr_snapshot
        if not past.database.startswith(f"{request.parent}/databases/"):
            raise invalid_argument(f'"{past.database}" is no database of {request.parent}.')
        source = self._databases.find(past.database)
        if past.database_uid and past.database_uid.decode() != source.uid:
            raise failed_precondition("The database is not the one with that uid any more.")
        with open_snapshot(self._engine, past.database, past.snapshot_time) as view:
            found = list(documents(view, past.database))
        made = self._begin(request, past.database, source.location_id, found)
        metadata = CLONED(operation_state=_State.PROCESSING, database=made.name, pitr_snapshot=past)
        return self._lasting.begin(CLONE, made.name, metadata, RESTORE_DURATION)

    def finish(self, metadata: Any, failure: str) -> Message:
        """The database, open to everybody; one whose filling fails is gone again."""
        if failure:
            metadata.operation_state = _State.FAILED
            self._engine.drop(metadata.database)
            gone: Message = self._databases.delete(metadata.database)
            return gone
        metadata.operation_state = _State.SUCCESSFUL
        self._databases.mark_ready(metadata.database)
        made: Message = self._databases.find(metadata.database)
        return made

    def _begin(self, request: Any, source: str, location: str, found: Iterable[Document]) -> Any:
        made = self._databases.create(
            request.parent, request.database_id, _Database(location_id=location), DatabaseState.FILLING
        )
        self._engine.fill(_rename_document(one, source, made.name) for one in found)
        return made


def _rename_document(document: Document, source: str, target: str) -> Document:
    moved = Document()
    moved.CopyFrom(document)
    moved.name = target + document.name.removeprefix(source)
    return moved
