"""Exports of Firestore."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_admin_v1 import types

from shared.adapters.gcp.errors import EFFECT_ERRORS, call_once
from shared.adapters.gcp.listing import list_database_operations
from shared.core.errors import Exists, Rejected
from shared.domain.data.backups.backup_records import Export

PERMISSIONS = (
    "datastore.databases.export",
    "datastore.databases.get",
    "datastore.entities.list",
    "datastore.operations.get",
    "datastore.operations.list",
)

PREFIX_TAKEN_MESSAGE = "Path already exists"
"""Said with INVALID_ARGUMENT, as much else is (htsuruo/firebase-extensions#8, of 2023)."""

_Request = types.ExportDocumentsRequest.pb()
_Metadata = types.ExportDocumentsMetadata.pb()


@dataclass
class FirestoreExports:
    """An Exports over one project. The client's own retries are off."""

    _admin: Any
    _project: str

    def begin(self, database: str, prefix: str, snapshot_at: datetime) -> str:
        request = _Request(name=self._name(database), output_uri_prefix=prefix)
        request.snapshot_time.FromDatetime(snapshot_at)
        try:
            begun = call_once(self._admin.export_documents, request, errors=EFFECT_ERRORS)
        except Rejected as refused:
            if PREFIX_TAKEN_MESSAGE in str(refused):
                raise Exists(str(refused)) from refused
            raise
        return str(begun.operation.name)

    def find(self, database: str, prefix: str) -> Export | None:
        """The newest with that prefix, among all operations that the database still shows."""
        exports = map(_export, list_database_operations(self._admin, self._name(database)))
        found = [one for one in exports if one is not None and one.prefix == prefix]
        return max(found, key=lambda one: one.began_at, default=None)

    def look(self, operation: str) -> Export:
        export = _export(call_once(self._admin.get_operation, {"name": operation}))
        if export is None:
            raise Rejected(f"{operation} is no export")
        return export

    def _name(self, database: str) -> str:
        return f"projects/{self._project}/databases/{database}"


def _export(operation: Any) -> Export | None:
    """None for an operation of another kind."""
    metadata = _Metadata()
    if not operation.metadata.Unpack(metadata):
        return None
    failed = operation.done and operation.HasField("error")
    return Export(
        operation=operation.name,
        prefix=metadata.output_uri_prefix,
        began_at=metadata.start_time.ToDatetime(UTC),
        snapshot_at=_time(metadata, "snapshot_time"),
        ended_at=_time(metadata, "end_time") if operation.done else None,
        failure=(operation.error.message or "without a reason") if failed else "",
        documents=metadata.progress_documents.completed_work,
    )


def _time(message: Any, name: str) -> datetime | None:
    if not message.HasField(name):
        return None
    time: datetime = getattr(message, name).ToDatetime(UTC)
    return time
