"""Exports of Firestore, and how many documents it has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from google.cloud.firestore_admin_v1 import types
from google.cloud.firestore_v1 import types as data

from shared.backup import Export
from shared.errors import Exists, Rejected
from shared.gcp.answers import EFFECT, READ, READ_SECONDS, translated
from shared.gcp.operations import of_database

PERMISSIONS: Final = (
    "datastore.databases.export",
    "datastore.databases.get",
    "datastore.entities.list",
    "datastore.operations.get",
    "datastore.operations.list",
)

TAKEN = "Path already exists"
"""Said with INVALID_ARGUMENT, as much else is (htsuruo/firebase-extensions#8, of 2023)."""

_Request = types.ExportDocumentsRequest.pb()
_Metadata = types.ExportDocumentsMetadata.pb()
_AggregationRequest = data.RunAggregationQueryRequest.pb()
_Aggregation = data.StructuredAggregationQuery.Aggregation.pb()
_Selector = data.StructuredQuery.CollectionSelector.pb()
_COUNT = "documents"


class FirestoreExports:
    """An Exports over one project. The clients' own retries are off."""

    def __init__(self, admin: Any, firestore: Any, project: str) -> None:
        self._admin = admin
        self._firestore = firestore
        self._project = project

    def begin(
        self, database: str, prefix: str, snapshot_at: datetime, collections: Sequence[str]
    ) -> str:
        """The operation's name."""
        request = _Request(
            name=self._name(database), output_uri_prefix=prefix, collection_ids=collections
        )
        request.snapshot_time.FromDatetime(snapshot_at)
        try:
            with translated(EFFECT):
                begun = self._admin.export_documents(request, retry=None, timeout=READ_SECONDS)
        except Rejected as refused:
            if TAKEN in str(refused):
                raise Exists(str(refused)) from refused
            raise
        return str(begun.operation.name)

    def find(self, database: str, prefix: str) -> Export | None:
        """The newest with that prefix, among all operations that the database still shows."""
        exports = map(_export, of_database(self._admin, self._name(database)))
        found = [one for one in exports if one is not None and one.prefix == prefix]
        return max(found, key=lambda one: one.began_at, default=None)

    def look(self, operation: str) -> Export:
        """The operation as an export."""
        with translated(READ):
            found = self._admin.get_operation({"name": operation}, retry=None, timeout=READ_SECONDS)
        export = _export(found)
        if export is None:
            raise Rejected(f"{operation} is no export")
        return export

    def count(self, database: str, collection: str, at: datetime | None = None) -> int:
        """By one aggregation over the collection group."""
        name = self._name(database)
        request = _AggregationRequest(parent=f"{name}/documents")
        query = request.structured_aggregation_query
        query.structured_query.from_.append(
            _Selector(collection_id=collection, all_descendants=True)
        )
        query.aggregations.append(_Aggregation(count={}, alias=_COUNT))
        if at is not None:
            request.read_time.FromDatetime(at)
        with translated(READ):
            answers = self._firestore.run_aggregation_query(
                request,
                retry=None,
                timeout=READ_SECONDS,
                metadata=(("google-cloud-resource-prefix", name),),
            )
            return max(
                int(answer.result.aggregate_fields[_COUNT].integer_value) for answer in answers
            )

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
