"""Imports: the documents of an export's files, put into a database under their own paths.

Documents of the same path are overwritten, others stay; references in documents keep naming the
database that they were written in. Only what `exports` wrote can be read.
"""

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from google.cloud.firestore_admin_v1 import types
from google.protobuf import empty_pb2
from google.protobuf.message import Message
from google.protobuf.proto import parse_length_prefixed

from local.services.firestore.admin.exports import overall_metadata_path
from local.services.firestore.admin.operations import LongRunningOperations
from local.services.firestore.commit_engine import FirestoreEngine
from local.services.firestore.messages import Document
from local.services.firestore.names import check_database
from local.services.firestore.statuses import invalid_argument, not_found
from local.services.storage.buckets import Buckets
from local.services.storage.errors import Refusal

IMPORT_DURATION = timedelta(minutes=5)
"""A time of its own: Google publishes none."""
KIND = "importDocuments"
METADATA = types.ImportDocumentsMetadata.pb()

_PREFIX = re.compile(r"gs://([^/]+)/(.*[^/])/?")
_State = types.OperationState


class DocumentImports:
    """Imports into every database, from the buckets of the embedded Cloud Storage."""

    def __init__(self, engine: FirestoreEngine, lasting: LongRunningOperations, buckets: Buckets) -> None:
        self._engine = engine
        self._lasting = lasting
        self._buckets = buckets

    def begin(self, request: Any) -> Message:
        """The operation of a new import, from an export that is whole. Raises: Refused."""
        database = check_database(request.name)
        if request.namespace_ids and list(request.namespace_ids) != [""]:
            raise invalid_argument("Firestore in native mode has no namespaces.")
        found = _PREFIX.fullmatch(request.input_uri_prefix)
        if found is None:
            raise invalid_argument(f"'{request.input_uri_prefix}' is not a Cloud Storage URI.")
        bucket, folder = found.groups()
        self._require(bucket, overall_metadata_path(folder))
        wanted = frozenset(request.collection_ids)
        documents = [
            _rename_document(one, database)
            for one in self._documents(bucket, f"{folder}/")
            if not wanted or one.name.rsplit("/", 2)[1] in wanted
        ]
        self._engine.fill(documents)
        metadata = METADATA(
            operation_state=_State.PROCESSING,
            input_uri_prefix=f"gs://{bucket}/{folder}",
            collection_ids=list(request.collection_ids),
        )
        metadata.progress_documents.estimated_work = len(documents)
        return self._lasting.begin(KIND, database, metadata, IMPORT_DURATION)

    def finish(self, metadata: Any, failure: str) -> Message:
        """Nothing. Documents are there from the beginning on; one that fails leaves them behind."""
        metadata.operation_state = _State.FAILED if failure else _State.SUCCESSFUL
        if not failure:
            metadata.progress_documents.completed_work = metadata.progress_documents.estimated_work
        return empty_pb2.Empty()

    def _documents(self, bucket: str, folder: str) -> Iterator[Document]:
        for kept in self._buckets.all(bucket, versions=False):
            if not kept.name.startswith(folder) or "/output-" not in kept.name:
                continue
            stream = io.BytesIO(kept.content)
            while (document := parse_length_prefixed(Document, stream)) is not None:
                yield document

    def _require(self, bucket: str, name: str) -> None:
        try:
            self._buckets.find(bucket, name)
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                raise not_found(f"Google Cloud Storage file does not exist: /{bucket}/{name}") from (refusal)
            raise


def _rename_document(document: Document, database: str) -> Document:
    document.name = f"{database}/documents/{document.name.partition('/documents/')[2]}"
    return document
