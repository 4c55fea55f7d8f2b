"""Exports: the documents of one moment as files in a bucket, under Google's names.

The layout is that of https://cloud.google.com/firestore/docs/manage-data/export-import (read
2026-11). What is in the files is not: Google writes a format of LevelDB's, these hold one
length-prefixed `google.firestore.v1.Document` after the other.
"""

import io
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from google.cloud.firestore_admin_v1 import types
from google.cloud.firestore_v1 import types as data
from google.protobuf.message import Message
from google.protobuf.proto import serialize_length_prefixed
from google.protobuf.timestamp_pb2 import Timestamp

from local.core.clock import CloudClock
from local.services.firestore.admin.operations import LongRunningOperations
from local.services.firestore.commit_engine import DocumentView, FirestoreEngine
from local.services.firestore.messages import Document
from local.services.firestore.names import check_database
from local.services.firestore.statuses import invalid_argument, not_found
from local.services.storage.buckets import Buckets
from local.services.storage.conditions import Preconditions
from local.services.storage.errors import Refusal

EXPORT_DURATION = timedelta(minutes=2)
"""A time of its own: Google publishes none."""
DOCUMENTS_PER_FILE = 1000
KIND = "exportDocuments"
METADATA = types.ExportDocumentsMetadata.pb()

_PREFIX = re.compile(r"gs://([^/]+)(?:/(.*[^/]))?/?")
_State = types.OperationState
_Response = types.ExportDocumentsResponse.pb()
_GetDocument = data.GetDocumentRequest.pb()
_BINARY = "application/octet-stream"
_ALWAYS = Preconditions()


class DocumentExports:
    """Exports of every database, into the buckets of the embedded Cloud Storage."""

    def __init__(
        self, engine: FirestoreEngine, lasting: LongRunningOperations, buckets: Buckets, clock: CloudClock
    ) -> None:
        self._engine = engine
        self._lasting = lasting
        self._buckets = buckets
        self._clock = clock

    def begin(self, request: Any) -> Message:
        """The operation of a new export; its documents are in the bucket, not yet what closes it.

        Raises: Refused.
        """
        database = check_database(request.name)
        if request.namespace_ids and list(request.namespace_ids) != [""]:
            raise invalid_argument("Firestore in native mode has no namespaces.")
        bucket, folder = self._place(request.output_uri_prefix)
        if self._exists(bucket, overall_metadata_path(folder)):
            raise invalid_argument(f"Path already exists: /{bucket}/{overall_metadata_path(folder)}")
        ids = list(request.collection_ids)
        time = request.snapshot_time if request.HasField("snapshot_time") else None
        with open_snapshot(self._engine, database, time) as view:
            found = list(documents(view, database, ids))
        for name, content in _build_output_files(folder, ids, found):
            self._buckets.put(bucket, name, content, _BINARY, {}, _ALWAYS)
        metadata = METADATA(
            operation_state=_State.PROCESSING,
            output_uri_prefix=f"gs://{bucket}/{folder}",
            collection_ids=ids,
            snapshot_time=time,
        )
        metadata.progress_documents.estimated_work = len(found)
        metadata.progress_bytes.estimated_work = sum(one.ByteSize() for one in found)
        return self._lasting.begin(KIND, database, metadata, EXPORT_DURATION)

    def finish(self, metadata: Any, failure: str) -> Message:
        """The files that close an export, last the one that says it is whole.

        One that fails leaves the documents' files behind and none of these.
        """
        if failure:
            metadata.operation_state = _State.FAILED
            return _Response()
        bucket, folder = self._place(metadata.output_uri_prefix)
        for kinds in _kind_names(list(metadata.collection_ids)):
            name = f"{folder}/all_namespaces/{kinds}/all_namespaces_{kinds}.export_metadata"
            self._buckets.put(bucket, name, kinds.encode(), _BINARY, {}, _ALWAYS)
        whole = metadata.SerializeToString()
        self._buckets.put(bucket, overall_metadata_path(folder), whole, _BINARY, {}, _ALWAYS)
        metadata.operation_state = _State.SUCCESSFUL
        for progress in (metadata.progress_documents, metadata.progress_bytes):
            progress.completed_work = progress.estimated_work
        return _Response(output_uri_prefix=metadata.output_uri_prefix)

    def _place(self, prefix: str) -> tuple[str, str]:
        """Bucket and folder; a bucket alone gets a folder named by the time."""
        found = _PREFIX.fullmatch(prefix)
        if found is None:
            raise invalid_argument(f"'{prefix}' is not a Cloud Storage URI.")
        bucket, folder = found.groups()
        try:
            self._buckets.bucket(bucket)
        except Refusal as refusal:
            raise not_found(refusal.message) from refusal
        return bucket, folder or f"{self._clock.now():%Y-%m-%dT%H:%M:%S_%f}"

    def _exists(self, bucket: str, name: str) -> bool:
        try:
            self._buckets.find(bucket, name)
        except Refusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True


def open_snapshot(engine: FirestoreEngine, database: str, time: Timestamp | None) -> Any:
    """A database's documents at a whole minute that can still be read; None: now.

    Raises: Refused INVALID_ARGUMENT for another moment, FAILED_PRECONDITION for one that is gone.
    """
    if time is not None and (time.nanos or time.seconds % 60):
        raise invalid_argument("The snapshot time must be a whole minute.")
    return engine.read_request(database, _GetDocument(read_time=time))


def documents(view: DocumentView, database: str, collection_ids: Iterable[str] = ()) -> Iterator[Document]:
    """Those of the collection groups, without any: all; by name."""
    wanted = frozenset(collection_ids)
    for collection in sorted(view.documents.collections_below(f"{database}/documents")):
        if not wanted or collection.rpartition("/")[2] in wanted:
            found = view.documents.documents_in(collection, view.time)
            yield from sorted(found, key=lambda one: one.name)


def _kind_names(ids: list[str]) -> list[str]:
    return [f"kind_{one}" for one in ids] or ["all_kinds"]


def _build_output_files(folder: str, ids: list[str], found: list[Document]) -> Iterator[tuple[str, bytes]]:
    """The files of the documents: name and content."""
    groups: dict[str, list[Document]] = {kinds: [] for kinds in _kind_names(ids)}
    for document in found:
        kind = document.name.rsplit("/", 2)[1]
        groups[f"kind_{kind}" if ids else "all_kinds"].append(document)
    for kinds, group in groups.items():
        for number, start in enumerate(range(0, max(len(group), 1), DOCUMENTS_PER_FILE)):
            content = io.BytesIO()
            for document in group[start : start + DOCUMENTS_PER_FILE]:
                serialize_length_prefixed(document, content)
            yield f"{folder}/all_namespaces/{kinds}/output-{number}", content.getvalue()


def overall_metadata_path(folder: str) -> str:
    """The file that an export writes last."""
    return f"{folder}/{folder.rpartition('/')[2]}.overall_export_metadata"
