"""The documents of an application's Firestore, as they were at a moment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.cloud.firestore_v1 import types

from shared.adapters.gcp.errors import READ_TIMEOUT_SECONDS, translate_errors
from shared.adapters.gcp.firestore.queries import add_condition
from shared.adapters.gcp.firestore.values import format_field_path, read_fields, read_time
from shared.core.errors import Gone
from shared.core.text import last_segment
from shared.domain.data.document import DocumentSnapshot, path_sort_key
from shared.domain.policy.document_scope import Scope

PERMISSIONS = ("datastore.databases.get", "datastore.entities.get", "datastore.entities.list")

STREAM_TIMEOUT_SECONDS = 30.0
"""So long one stream may last; what has come by then counts, and the next one goes on behind it."""
MAX_DOCUMENTS_PER_READ = 300
"""Documents of one request: of 1 MiB each they would still come as a stream."""

_RunQueryRequest = types.RunQueryRequest.pb()
_RunQueryResponse = types.RunQueryResponse.pb
_PartitionRequest = types.PartitionQueryRequest.pb()
_AggregationRequest = types.RunAggregationQueryRequest.pb()
_Aggregation = types.StructuredAggregationQuery.Aggregation.pb()
_BatchGetRequest = types.BatchGetDocumentsRequest.pb()
_BatchGetResponse = types.BatchGetDocumentsResponse.pb
_GetRequest = types.GetDocumentRequest.pb()
_CollectionsRequest = types.ListCollectionIdsRequest.pb()
_AND = types.StructuredQuery.CompositeFilter.Operator.AND
_ASCENDING = types.StructuredQuery.Direction.ASCENDING
_DESCENDING = types.StructuredQuery.Direction.DESCENDING
_NAME = "__name__"
_COUNT = "documents"


@dataclass
class FirestoreDocuments:
    """A Documents over one project. The client's own retries are off."""

    _client: Any
    _project: str

    def stream(
        self, database: str, scope: Scope, at: datetime | None, after: str = ""
    ) -> Iterator[DocumentSnapshot]:
        """One query, read as it comes; it is given up when the caller reads no further."""
        root = self._root(database)
        return (_version(one, root) for one in self._run_query(database, _query(root, scope, at, after)))

    def paths(self, database: str, scope: Scope, at: datetime | None, after: str = "") -> Iterator[str]:
        """The same query, of which only the names come."""
        root = self._root(database)
        request = _query(root, scope, at, after)
        request.structured_query.select.fields.add(field_path=_NAME)
        return (_path(one.name, root) for one in self._run_query(database, request))

    def get(
        self, database: str, paths: Sequence[str], at: datetime | None
    ) -> dict[str, DocumentSnapshot | None]:
        """In batches, each read at the same moment; without one, each at its own.

        One document alone comes by a call that takes two thirds of the work; only a batch tells
        whether it is the document that is missing or its database.
        """
        root = self._root(database)
        found = dict[str, DocumentSnapshot | None].fromkeys(paths)
        if len(paths) == 1:
            request = _GetRequest(name=f"{root}/{paths[0]}")
            _read_at(request, at)
            with suppress(Gone), translate_errors():
                answer = self._client.get_document(request, **self._call_options(database))
                return {paths[0]: _version(types.Document.pb(answer), root)}
        for document in self._batch_get(database, paths, at, fields=True):
            version = _version(document, root)
            found[version.path] = version
        return found

    def existing(self, database: str, paths: Sequence[str], at: datetime | None) -> set[str]:
        root = self._root(database)
        return {_path(one.name, root) for one in self._batch_get(database, paths, at, fields=False)}

    def matching(
        self,
        database: str,
        scope: Scope,
        where: Mapping[str, Any],
        at: datetime | None,
        only: Sequence[str],
        most: int,
    ) -> list[DocumentSnapshot]:
        """One query, of which those fields alone come: its own indexes suffice for equality."""
        root = self._root(database)
        request = _query(root, scope, at, "")
        query = request.structured_query
        _narrow(query, where)
        for field in only:
            query.select.fields.add(field_path=format_field_path(field.split(".")))
        query.limit.value = most
        return [_version(one, root) for one in self._run_query(database, request)]

    def newest(
        self, database: str, scope: Scope, field: str, since: datetime, most: int
    ) -> list[DocumentSnapshot]:
        """One query; the index that Firestore keeps of each field of a collection suffices."""
        root = self._root(database)
        request = _RunQueryRequest(parent=_parent(root, scope))
        query, path = request.structured_query, format_field_path([field])
        _select(query, scope)
        add_condition(query.where, path, ">", since)
        query.order_by.add(direction=_DESCENDING).field.field_path = path
        query.limit.value = most
        return [_version(one, root) for one in self._run_query(database, request)]

    def count(
        self, database: str, scope: Scope, at: datetime | None, where: Mapping[str, Any] | None = None
    ) -> int:
        request = _AggregationRequest(parent=_parent(self._root(database), scope))
        query = request.structured_aggregation_query
        _select(query.structured_query, scope)
        _narrow(query.structured_query, where or {})
        query.aggregations.append(_Aggregation(count={}, alias=_COUNT))
        _read_at(request, at)
        with translate_errors():
            answers = self._client.run_aggregation_query(request, **self._call_options(database))
            return max(int(answer.result.aggregate_fields[_COUNT].integer_value) for answer in answers)

    def collections(self, database: str, at: datetime | None) -> list[str]:
        request = _CollectionsRequest(parent=self._root(database))
        _read_at(request, at)
        with translate_errors():
            return sorted(self._client.list_collection_ids(request, **self._call_options(database)))

    def partition_points(self, database: str, scope: Scope, at: datetime | None, most: int) -> list[str]:
        """Where the service parts the collection group; of one collection, those within it."""
        root = self._root(database)
        request = _PartitionRequest(parent=root, partition_count=most)
        query = request.structured_query
        query.from_.add(collection_id=last_segment(scope.collection), all_descendants=True)
        query.order_by.add(direction=_ASCENDING).field.field_path = _NAME
        _read_at(request, at)
        with translate_errors():
            pages = self._client.partition_query(request, **self._call_options(database))
            names = [one.values[0].reference_value for one in pages]
        paths = sorted((_path(name, root) for name in names), key=path_sort_key)
        within = f"{scope.collection}/"
        return [
            path
            for path in paths
            if scope.everywhere or (path.startswith(within) and "/" not in path.removeprefix(within))
        ]

    def _run_query(self, database: str, request: Any) -> Iterator[Any]:
        call = self._call_options(database) | {"timeout": STREAM_TIMEOUT_SECONDS}
        with translate_errors():
            answers = self._client.run_query(request, **call)
            try:
                for answer in map(_RunQueryResponse, answers):
                    if answer.HasField("document"):
                        yield answer.document
            finally:
                answers.cancel()

    def _batch_get(
        self, database: str, paths: Sequence[str], at: datetime | None, *, fields: bool
    ) -> Iterator[Any]:
        root = self._root(database)
        for first in range(0, len(paths), MAX_DOCUMENTS_PER_READ):
            names = [f"{root}/{path}" for path in paths[first : first + MAX_DOCUMENTS_PER_READ]]
            request = _BatchGetRequest(database=self._name(database), documents=names)
            if not fields:
                request.mask.field_paths.append(_NAME)
            _read_at(request, at)
            with translate_errors():
                answers = self._client.batch_get_documents(request, **self._call_options(database))
                for answer in map(_BatchGetResponse, answers):
                    if answer.HasField("found"):
                        yield answer.found

    def _name(self, database: str) -> str:
        return f"projects/{self._project}/databases/{database}"

    def _root(self, database: str) -> str:
        return f"{self._name(database)}/documents"

    def _call_options(self, database: str) -> dict[str, Any]:
        metadata = (("google-cloud-resource-prefix", self._name(database)),)
        return {"retry": None, "timeout": READ_TIMEOUT_SECONDS, "metadata": metadata}


def _query(root: str, scope: Scope, at: datetime | None, after: str) -> Any:
    request = _RunQueryRequest(parent=_parent(root, scope))
    query = request.structured_query
    _select(query, scope)
    query.order_by.add(direction=_ASCENDING).field.field_path = _NAME
    if after:
        query.start_at.values.add(reference_value=f"{root}/{after}")
    _read_at(request, at)
    return request


def _parent(root: str, scope: Scope) -> str:
    above = scope.collection.rpartition("/")[0]
    return f"{root}/{above}" if above and not scope.everywhere else root


def _select(query: Any, scope: Scope) -> None:
    query.from_.add(collection_id=last_segment(scope.collection), all_descendants=scope.everywhere)


def _narrow(query: Any, where: Mapping[str, Any]) -> None:
    """Let only documents be found whose fields equal these."""
    if where:
        query.where.composite_filter.op = _AND
    for field, wanted in where.items():
        condition = query.where.composite_filter.filters.add()
        add_condition(condition, format_field_path(field.split(".")), "==", wanted)


def _read_at(request: Any, at: datetime | None) -> None:
    if at is not None:
        request.read_time.FromDatetime(at)


def _version(document: Any, root: str) -> DocumentSnapshot:
    return DocumentSnapshot(
        path=_path(document.name, root),
        fields=read_fields(document.fields),
        created_at=read_time(document.create_time),
        updated_at=read_time(document.update_time),
    )


def _path(name: str, root: str) -> str:
    return name.removeprefix(f"{root}/")
