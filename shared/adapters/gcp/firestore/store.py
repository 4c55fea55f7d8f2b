"""Documents in Firestore: batches with preconditions, and transactions with a retry of our own."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from google.cloud.firestore_v1 import types

from shared.adapters.gcp.errors import (
    COMMIT_ERRORS,
    READ_TIMEOUT_SECONDS,
    Contended,
    call_once,
    translate_errors,
)
from shared.adapters.gcp.firestore.queries import run_query_request
from shared.adapters.gcp.firestore.values import format_field_path, read_fields, read_time, write_fields
from shared.core.errors import RollbackError, Throttled
from shared.core.runtime import Clock
from shared.core.store import Create, Document, Query, Reader, Update, Write

READ_PERMISSIONS = ("datastore.databases.get", "datastore.entities.get", "datastore.entities.list")
PERMISSIONS = (*READ_PERMISSIONS, "datastore.entities.create", "datastore.entities.update")

MAX_TRANSACTION_ATTEMPTS = 10
INITIAL_BACKOFF_SECONDS = 0.05
MAX_BACKOFF_SECONDS = 1.0

_WriteMessage = types.Write.pb()
_CommitRequest = types.CommitRequest.pb()
_BatchGetRequest = types.BatchGetDocumentsRequest.pb()
_BatchGetResponse = types.BatchGetDocumentsResponse.pb
_RunQueryResponse = types.RunQueryResponse.pb
_BeginRequest = types.BeginTransactionRequest.pb()
_RollbackRequest = types.RollbackRequest.pb()
_REQUEST_TIME = types.DocumentTransform.FieldTransform.ServerValue.REQUEST_TIME


@dataclass
class FirestoreStore:
    """A Store over one database, `projects/P/databases/D`.

    The client's own retries are off, for commits above all: a commit that it repeats after a lost
    answer comes back as AlreadyExists, FailedPrecondition or InvalidArgument although it was
    applied. Here a lost answer is Ambiguous, and the caller looks.
    """

    _client: Any
    _database: str
    _clock: Clock
    _random: Random

    def __post_init__(self) -> None:
        self._root = f"{self._database}/documents"
        # What routes a call to a named database; the official wrapper sends it beside the client's.
        self._metadata = (("google-cloud-resource-prefix", self._database),)

    def get(self, path: str, transaction: bytes = b"") -> Document:
        request = _BatchGetRequest(
            database=self._database, documents=[self._name(path)], transaction=transaction or None
        )
        with translate_errors():
            answers = self._client.batch_get_documents(request, **self._call_options())
            (answer,) = map(_BatchGetResponse, answers)
        if answer.HasField("found"):
            return self._document(answer.found, answer.read_time)
        return Document(path, None, None, read_time(answer.read_time))

    def query(self, query: Query, transaction: bytes = b"") -> list[Document]:
        """What matches. A combination of fields needs its composite index, or is Rejected."""
        request = run_query_request(self._root, query, transaction)
        with translate_errors():
            answers = list(map(_RunQueryResponse, self._client.run_query(request, **self._call_options())))
        return [
            self._document(answer.document, answer.read_time)
            for answer in answers
            if answer.HasField("document")
        ]

    def commit(self, writes: Sequence[Write], transaction: bytes = b"") -> datetime:
        """A write that changes nothing keeps the version: a fence needs a field that changes."""
        request = _CommitRequest(
            database=self._database,
            writes=[self._message(write) for write in writes],
            transaction=transaction or None,
        )
        answer = call_once(self._client.commit, request, errors=COMMIT_ERRORS, metadata=self._metadata)
        return max(read_time(one.update_time) for one in types.CommitResponse.pb(answer).write_results)

    def transact(self, work: Callable[[Reader], Sequence[Write]]) -> datetime | None:
        """Run `work` over consistent reads and commit what it returns.

        Contention (ABORTED, from a read as from the commit) runs it again after a pause with
        jitter; a lost answer of the commit is Ambiguous and is not repeated.
        """
        transaction = b""
        for attempt in range(MAX_TRANSACTION_ATTEMPTS):
            if attempt:
                longest = min(MAX_BACKOFF_SECONDS, INITIAL_BACKOFF_SECONDS * 2**attempt)
                self._clock.sleep(self._random.uniform(0, longest))
            try:
                transaction = self._begin(transaction)
                return self._run(work, transaction)
            except Contended:
                continue
        raise Throttled(f"contention did not end in {MAX_TRANSACTION_ATTEMPTS} attempts")

    def _run(self, work: Callable[[Reader], Sequence[Write]], transaction: bytes) -> datetime | None:
        try:
            writes = work(_Transaction(self, transaction))
            if writes:
                return self.commit(writes, transaction)
        except BaseException:
            self._rollback(transaction)
            raise
        self._rollback(transaction)
        return None

    def _begin(self, previous: bytes) -> bytes:
        """A new transaction; one that goes on for an earlier run keeps that one's age."""
        request = _BeginRequest(database=self._database)
        request.options.read_write.retry_transaction = previous
        begun = call_once(self._client.begin_transaction, request, metadata=self._metadata)
        return bytes(begun.transaction)

    def _rollback(self, transaction: bytes) -> None:
        """Let go of the transaction's locks, if there is still anything to let go of."""
        request = _RollbackRequest(database=self._database, transaction=transaction)
        # The outcome is known already; what cannot be let go of ends by itself after 60 s idle.
        with suppress(RollbackError):
            call_once(self._client.rollback, request, metadata=self._metadata)

    def _message(self, write: Write) -> Any:
        message = _WriteMessage()
        message.update.name = self._name(write.path)
        server_times = write_fields(message.update.fields, write.fields)
        for path in server_times:
            message.update_transforms.add(
                field_path=format_field_path(path), set_to_server_value=_REQUEST_TIME
            )
        if isinstance(write, Create):
            message.current_document.exists = False
        elif isinstance(write, Update):
            _restrict(message, write, server_times)
        return message

    def _name(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _document(self, document: Any, at: Any) -> Document:
        return Document(
            path=document.name.removeprefix(f"{self._root}/"),
            fields=read_fields(document.fields),
            version=read_time(document.update_time),
            read_at=read_time(at),
        )

    def _call_options(self) -> dict[str, Any]:
        return {"retry": None, "timeout": READ_TIMEOUT_SECONDS, "metadata": self._metadata}


@dataclass
class _Transaction:
    _store: FirestoreStore
    _transaction: bytes

    def get(self, path: str) -> Document:
        return self._store.get(path, self._transaction)

    def query(self, query: Query) -> list[Document]:
        return self._store.query(query, self._transaction)


def _restrict(message: Any, write: Update, server_times: Iterable[tuple[str, ...]]) -> None:
    """Confine an update to its fields and its precondition.

    A field set by a transform is left out of the mask, which would delete it first. The mask is
    there even when it is empty: without one the whole document would be replaced.
    """
    transformed = {path[0] for path in server_times if len(path) == 1}
    message.update_mask.SetInParent()
    message.update_mask.field_paths.extend(
        format_field_path([name]) for name in write.fields if name not in transformed
    )
    if write.version is None:
        message.current_document.exists = True
    else:
        message.current_document.update_time.FromDatetime(write.version)
