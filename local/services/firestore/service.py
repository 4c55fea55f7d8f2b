"""The gRPC surface: one method for each call of `google.firestore.v1.Firestore`."""

from collections.abc import Iterator
from random import Random, SystemRandom
from string import ascii_letters, digits
from typing import TypeAlias

import grpc
from google.cloud.firestore_v1 import types
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.services.firestore.commit_engine import FirestoreEngine
from local.services.firestore.data.databases import Databases
from local.services.firestore.data.field_paths import apply_mask
from local.services.firestore.data.indexes import CompositeIndexes, FieldIndexes
from local.services.firestore.data.limits import check_request_size
from local.services.firestore.data.ttl import TtlPolicies
from local.services.firestore.messages import Cursor, Document, DocumentMask, Precondition, Value
from local.services.firestore.messages import Write as WriteMessage
from local.services.firestore.names import check_database, check_document, check_parent, database_of
from local.services.firestore.queries import listing
from local.services.firestore.queries.aggregation import read_aggregations
from local.services.firestore.queries.listeners import listen
from local.services.firestore.queries.query import read_query
from local.services.firestore.statuses import invalid_argument, not_found
from local.services.firestore.timeline import to_timestamp
from local.services.firestore.writes.transactions import Concurrency

Context: TypeAlias = grpc.ServicerContext

_ID_ALPHABET = ascii_letters + digits
_ID_LENGTH = 20
_STREAM_TOKEN_BYTES = 8
_DOCUMENTS_PER_READ = 300
"""Documents of a query that are looked for at once, where that can be done bit by bit."""

_BatchGetDocumentsResponse = types.BatchGetDocumentsResponse.pb()
_BatchWriteResponse = types.BatchWriteResponse.pb()
_BeginTransactionResponse = types.BeginTransactionResponse.pb()
_CommitResponse = types.CommitResponse.pb()
_ListCollectionIdsResponse = types.ListCollectionIdsResponse.pb()
_ListDocumentsResponse = types.ListDocumentsResponse.pb()
_PartitionQueryResponse = types.PartitionQueryResponse.pb()
_RunAggregationQueryResponse = types.RunAggregationQueryResponse.pb()
_RunQueryResponse = types.RunQueryResponse.pb()
_WriteResponse = types.WriteResponse.pb()


class FirestoreService:
    """Firestore as its clients see it, for any project and database; safe for threads.

    A database is there as soon as it is named (`databases`). Not enforced: composite indexes,
    security rules, quotas, IAM. Documents expire (`expiry`) when somebody calls `expiry.catch_up`.
    Whoever is on this side of the wire uses `engine`.
    """

    def __init__(
        self,
        clock: CloudClock,
        journal: Journal,
        concurrency: Concurrency = Concurrency.PESSIMISTIC,
        *,
        point_in_time_recovery: bool = False,
        randomness: Random | None = None,
    ) -> None:
        self._randomness = randomness or SystemRandom()
        self.databases = Databases(clock, journal, concurrency, point_in_time_recovery=point_in_time_recovery)
        self.engine = FirestoreEngine(clock, journal, self.databases, self._randomness)
        self.expiry = TtlPolicies(self.engine, clock, journal)
        self.indexes = CompositeIndexes(journal)
        self.field_indexes = FieldIndexes(journal)

    def GetDocument(self, request: Message, context: Context) -> Message:
        """The document; NOT_FOUND when there is none."""
        name = check_document(request.name)
        with self.engine.read_request(database_of(name), request) as view:
            document = view.get(name)
        if document is None:
            raise not_found(f'Document "{name}" not found.')
        return apply_mask(document, _mask(request, "mask"))

    def BatchGetDocuments(self, request: Message, context: Context) -> Iterator[Message]:
        """Each document once, all at one time; those that are missing come last."""
        database = check_database(request.database)
        names = [check_document(name, database) for name in dict.fromkeys(request.documents)]
        with self.engine.read_request(database, request) as view:
            found = [(name, view.get(name)) for name in names]
        found.sort(key=lambda pair: pair[1] is None)
        begun, read_time = view.begun, to_timestamp(view.time)
        if begun and not found:
            yield _BatchGetDocumentsResponse(transaction=begun, read_time=read_time)
        for name, document in found:
            answer = _BatchGetDocumentsResponse(transaction=begun, read_time=read_time)
            if document is None:
                answer.missing = name
            else:
                answer.found.CopyFrom(apply_mask(document, _mask(request, "mask")))
            yield answer
            begun = b""

    def ListDocuments(self, request: Message, context: Context) -> Message:
        """One page of a collection."""
        page = listing.read_page(request.page_token)
        with self.engine.read_request(database_of(request.parent), request, page.time) as view:
            found = listing.documents(view, request)
        shown, token = page.cut(found, request.page_size, view.time)
        mask = _mask(request, "mask")
        return _ListDocumentsResponse(
            documents=[apply_mask(document, mask) for document in shown], next_page_token=token
        )

    def ListCollectionIds(self, request: Message, context: Context) -> Message:
        """One page of the collections right below a document or a database's root."""
        page = listing.read_page(request.page_token)
        parent = check_parent(request.parent)
        with self.engine.read_request(database_of(parent), request, page.time) as view:
            found = listing.collection_ids(view, parent)
        shown, token = page.cut(found, request.page_size, view.time)
        return _ListCollectionIdsResponse(collection_ids=shown, next_page_token=token)

    def CreateDocument(self, request: Message, context: Context) -> Message:
        """The new document, with an id of its own when the request has none."""
        if "/" in request.collection_id or not request.collection_id:
            raise invalid_argument(f'Collection id "{request.collection_id}" is invalid.')
        new_id = request.document_id or "".join(
            self._randomness.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH)
        )
        document = Document(
            name=f"{check_parent(request.parent)}/{request.collection_id}/{new_id}",
            fields=request.document.fields,
        )
        write = WriteMessage(update=document, current_document=Precondition(exists=False))
        return self._write_one(request, write, document, context)

    def UpdateDocument(self, request: Message, context: Context) -> Message:
        """The document as it is afterwards."""
        write = WriteMessage(
            update=request.document,
            update_mask=_mask(request, "update_mask"),
            current_document=request.current_document,
        )
        return self._write_one(request, write, request.document, context)

    def DeleteDocument(self, request: Message, context: Context) -> Message:
        """Nothing; the document is gone."""
        write = WriteMessage(delete=request.name, current_document=request.current_document)
        self.engine.commit(database_of(request.name), [write], context.is_active)
        return Empty()

    def Commit(self, request: Message, context: Context) -> Message:
        """All writes carried out at one time, or none."""
        check_request_size(request)
        database = check_database(request.database)
        applied, time = self.engine.commit(database, request.writes, context.is_active, request.transaction)
        return _CommitResponse(write_results=applied.results, commit_time=to_timestamp(time))

    def BatchWrite(self, request: Message, context: Context) -> Message:
        """Each write carried out or refused on its own."""
        check_request_size(request)
        database, answer = check_database(request.database), _BatchWriteResponse()
        for write in request.writes:
            try:
                applied, _ = self.engine.commit(database, [write], context.is_active)
            except StatusError as refused:
                answer.write_results.add()
                answer.status.append(Status(code=refused.code.value[0], message=refused.message))
            else:
                answer.write_results.extend(applied.results)
                answer.status.add()
        return answer

    def BeginTransaction(self, request: Message, context: Context) -> Message:
        """The token of a new transaction."""
        token = self.engine.begin(check_database(request.database), request.options)
        return _BeginTransactionResponse(transaction=token)

    def Rollback(self, request: Message, context: Context) -> Message:
        """Nothing; the transaction is over without effect."""
        self.engine.roll_back(check_database(request.database), request.transaction)
        return Empty()

    def RunQuery(self, request: Message, context: Context) -> Iterator[Message]:
        """The documents that a query finds, all at one time; an answer without any if none.

        Those in the order of names are looked for as they are sent: whoever reads no further than
        the first of many costs no more.
        """
        query = read_query(request.parent, request.structured_query)
        with self.engine.read_request(database_of(request.parent), request) as view:
            in_pieces = query.is_by_name and view.transaction is None
            found = view.run(query.limit_to(_DOCUMENTS_PER_READ) if in_pieces else query)
        begun, read_time = view.begun, to_timestamp(view.time)
        if begun:
            yield _RunQueryResponse(transaction=begun)
        if not found:
            yield _RunQueryResponse(read_time=read_time)
        while found:
            for document in found:
                yield _RunQueryResponse(document=query.project_document(document), read_time=read_time)
            if not in_pieces or len(found) < _DOCUMENTS_PER_READ:
                return
            query = query.start_after(found)
            with self.engine.continue_read(view.time) as later:
                found = later.run(query.limit_to(_DOCUMENTS_PER_READ))

    def RunAggregationQuery(self, request: Message, context: Context) -> Iterator[Message]:
        """One answer with every figure by its alias."""
        query, aggregations = read_aggregations(request.parent, request.structured_aggregation_query)
        with self.engine.read_request(database_of(request.parent), request) as view:
            found = view.run(query)
        figures = {alias: aggregation.over(found) for alias, aggregation in aggregations.items()}
        yield _RunAggregationQueryResponse(
            result={"aggregate_fields": figures}, transaction=view.begun, read_time=to_timestamp(view.time)
        )

    def PartitionQuery(self, request: Message, context: Context) -> Message:
        """One page of the cursors that part a query into pieces of about the same size."""
        if request.partition_count <= 0:
            raise invalid_argument("The number of partitions must be positive.")
        page = listing.read_page(request.page_token)
        query = read_query(request.parent, request.structured_query)
        with self.engine.read_request(database_of(request.parent), request, page.time) as view:
            points = listing.partition_points(view.run(query), request.partition_count)
        shown, token = page.cut(points, request.page_size, view.time)
        return _PartitionQueryResponse(
            partitions=[Cursor(values=[Value(reference_value=name)], before=True) for name in shown],
            next_page_token=token,
        )

    def Listen(self, requests: Iterator[Message], context: Context) -> Iterator[Message]:
        """Snapshots of the targets, until the client goes away."""
        return listen(self.engine, requests, context)

    def Write(self, requests: Iterator[Message], context: Context) -> Iterator[Message]:
        """One commit for each request after the first, which only opens the stream."""
        database = ""
        for number, request in enumerate(requests):
            check_request_size(request)
            token = number.to_bytes(_STREAM_TOKEN_BYTES, "big")
            if number == 0:
                database = check_database(request.database)
                yield _WriteResponse(stream_id=token.hex(), stream_token=token)
                continue
            applied, time = self.engine.commit(database, request.writes, context.is_active)
            yield _WriteResponse(
                stream_token=token, write_results=applied.results, commit_time=to_timestamp(time)
            )

    def _write_one(
        self, request: Message, write: WriteMessage, document: Document, context: Context
    ) -> Document:
        """Commit one write; the document as it is afterwards, through the request's mask."""
        check_request_size(request)
        applied, _ = self.engine.commit(database_of(document.name), [write], context.is_active)
        return apply_mask(applied.documents[document.name], _mask(request, "mask"))


def _mask(request: Message, name: str) -> DocumentMask | None:
    """A mask that a request may have; an empty one is not none."""
    return getattr(request, name) if request.HasField(name) else None
