"""Databases of Firestore that are made of backups or of the past, and deleted again."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_admin_v1 import types
from google.cloud.firestore_v1 import types as data

from shared.adapters.gcp.errors import CREATE_ERRORS, EFFECT_ERRORS, StatusErrors, call_once
from shared.adapters.gcp.listing import list_database_operations
from shared.core.errors import Gone, Moved, Rejected, Unavailable
from shared.domain.data.backups.backup_records import RestoreProgress

PERMISSIONS = (
    "datastore.backups.restoreDatabase",
    "datastore.databases.create",
    "datastore.databases.list",
    "datastore.operations.get",
    "datastore.operations.list",
)
CLONE_PERMISSIONS = ("datastore.databases.clone",)
"""Beside the others, on the project."""
SCRATCH_PERMISSIONS = (
    "datastore.databases.delete",
    "datastore.databases.import",
    "datastore.entities.delete",
)
"""On databases of ours alone (`shared.domain.data.backups.restore_test`,
`shared.domain.data.backups.database_copy`): no other one may be overwritten or deleted.
"""

_CREATE: StatusErrors = {**CREATE_ERRORS, "FAILED_PRECONDITION": Moved}
_DELETE: StatusErrors = {**EFFECT_ERRORS, "FAILED_PRECONDITION": Moved, "ABORTED": Moved}

_Create = types.CreateDatabaseRequest.pb()
_Import = types.ImportDocumentsRequest.pb()
_Commit = data.CommitRequest.pb()
_Restore = types.RestoreDatabaseRequest.pb()
_Clone = types.CloneDatabaseRequest.pb()
_Imported = types.ImportDocumentsMetadata.pb()
_Restored = types.RestoreDatabaseMetadata.pb()
_Cloned = types.CloneDatabaseMetadata.pb()
_FILLING = (_Imported, _Restored, _Cloned)
_NATIVE = types.Database.DatabaseType.FIRESTORE_NATIVE


@dataclass
class FirestoreRestores:
    """A Restores over one project. The clients' own retries are off."""

    _admin: Any
    _firestore: Any
    _project: str

    @property
    def _parent(self) -> str:
        return f"projects/{self._project}"

    def create(self, database: str, location: str) -> None:
        """In native mode, without protection from deletion."""
        request = _Create(parent=self._parent, database_id=database)
        request.database.location_id = location
        request.database.type_ = _NATIVE
        call_once(self._admin.create_database, request, errors=_CREATE)

    def fill(self, database: str, prefix: str) -> str:
        request = _Import(name=self._name(database), input_uri_prefix=prefix)
        return str(call_once(self._admin.import_documents, request, errors=EFFECT_ERRORS).operation.name)

    def restore(self, database: str, backup: str) -> str:
        request = _Restore(parent=self._parent, database_id=database, backup=backup)
        return str(call_once(self._admin.restore_database, request, errors=_CREATE).operation.name)

    def clone(self, database: str, original: str, at: datetime) -> str:
        request = _Clone(parent=self._parent, database_id=database)
        request.pitr_snapshot.database = self._name(original)
        request.pitr_snapshot.snapshot_time.FromDatetime(at)
        return str(call_once(self._admin.clone_database, request, errors=CREATE_ERRORS).operation.name)

    def find(self, database: str) -> RestoreProgress | None:
        """The newest of the database's own operations."""
        try:
            found = list(map(_restoring, list_database_operations(self._admin, self._name(database))))
        except Gone:
            return None
        return max((one for one in found if one), key=lambda one: one.began_at, default=None)

    def look(self, operation: str) -> RestoreProgress:
        restoring = _restoring(call_once(self._admin.get_operation, {"name": operation}))
        if restoring is None:
            raise Rejected(f"{operation} fills no database")
        return restoring

    def delete(self, database: str) -> None:
        """Whatever it is now: nothing else is called like that."""
        with suppress(Gone):
            call_once(self._admin.delete_database, {"name": self._name(database)}, errors=_DELETE)

    def remove(self, database: str, paths: Sequence[str]) -> None:
        name = self._name(database)
        request = _Commit(database=name)
        for path in paths:
            request.writes.add(delete=f"{name}/documents/{path}")
        metadata = (("google-cloud-resource-prefix", name),)
        call_once(self._firestore.commit, request, errors=EFFECT_ERRORS, metadata=metadata)

    def names(self) -> list[str]:
        """Of every location. Raises: Unavailable, when one did not answer, too."""
        answer = call_once(self._admin.list_databases, {"parent": self._parent})
        if answer.unreachable:
            raise Unavailable(f"no answer from {', '.join(answer.unreachable)}")
        return sorted(one.name.rpartition("/")[2] for one in answer.databases)

    def _name(self, database: str) -> str:
        return f"{self._parent}/databases/{database}"


def _restoring(operation: Any) -> RestoreProgress | None:
    """None for an operation of another kind."""
    for kind in _FILLING:
        metadata = kind()
        if operation.metadata.Unpack(metadata):
            failed = operation.done and operation.HasField("error")
            return RestoreProgress(
                operation=operation.name,
                began_at=metadata.start_time.ToDatetime(UTC),
                ended_at=metadata.end_time.ToDatetime(UTC) if operation.done else None,
                failure=(operation.error.message or "without a reason") if failed else "",
                percent=_percent(metadata),
            )
    return None


def _percent(metadata: Any) -> int:
    """Of an import by its documents, of the others as the service counts."""
    progress = (
        metadata.progress_documents if isinstance(metadata, _Imported) else metadata.progress_percentage
    )
    whole = progress.estimated_work
    return int(100 * progress.completed_work / whole) if whole > 0 else 0
