"""`google.longrunning.Operations` of Firestore Admin: what is begun now and over later."""

import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import grpc
import msgspec
from google.longrunning import operations_pb2
from google.protobuf.message import Message
from msgspec import Struct

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.core.pages import page
from local.faults.hooks import FaultHooks
from local.services.firestore.statuses import not_found, unimplemented
from shared.core.codec import from_msgpack

MAX_PAGE_SIZE = 100

Finish = Callable[[Message, str], Message]
"""Brings a job to its end: its operation's metadata, and why it fails ("": it does not), give the
response. Called at least once: a restart may come between its effect and what is kept of it."""

_JOURNAL_SERVICE = "firestore-operations"
_FILTERS = {"": None, "done:true": True, "done=true": True, "done=false": False}
_FAILED = grpc.StatusCode.INTERNAL.value[0]


class _PendingOperation(Struct, frozen=True):
    kind: str
    operation: bytes
    due_at: datetime
    failure: str = ""


class LongRunningOperations:
    """Operations that end when their time has come and somebody looks; safe for threads.

    `kinds` gives for each kind of job its metadata's type and what ends it.
    """

    def __init__(self, clock: CloudClock, journal: Journal, faults: FaultHooks) -> None:
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._lock = threading.RLock()
        self.kinds: Mapping[str, tuple[type[Message], Finish]] = {}
        self._jobs = {
            name: from_msgpack(value, _PendingOperation) for name, value in journal.read(_JOURNAL_SERVICE)
        }

    def begin(self, kind: str, database: str, metadata: Any, takes: timedelta) -> Message:
        """The new operation of a database; faults know it as `{database}/{kind}`."""
        fate = self._faults.fate(f"operation {database}/{kind}")
        metadata.start_time.FromDatetime(self._clock.now())
        operation = operations_pb2.Operation(name=f"{database}/operations/{uuid.uuid4().hex}")
        operation.metadata.Pack(metadata)
        job = _PendingOperation(
            kind, operation.SerializeToString(), self._clock.now() + takes + fate.delay, fate.failure
        )
        with self._lock:
            self._keep(operation.name, job)
        return operation

    def completed(self, database: str, metadata: Message, response: Message) -> Message:
        """An operation that is over as soon as it is asked for, and not kept."""
        operation = operations_pb2.Operation(name=f"{database}/operations/{uuid.uuid4().hex}", done=True)
        operation.metadata.Pack(metadata)
        operation.response.Pack(response)
        return operation

    def catch_up(self) -> None:
        """Bring to an end what is due."""
        with self._lock:
            for name, job in sorted(self._jobs.items(), key=lambda one: one[1].due_at):
                if job.due_at <= self._clock.now() and not _build_operation(job).done:
                    self._keep(name, self._ended(job))

    def GetOperation(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """An operation by its full name."""
        self.catch_up()
        job = self._jobs.get(request.name)
        if job is None:
            raise not_found(f'There is no operation "{request.name}".')
        return _build_operation(job)

    def ListOperations(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A database's operations: without a filter those that run or have failed, as Google does.

        Else `done:true` (`done=true`) or `done=false`.
        """
        if request.filter not in _FILTERS:
            raise unimplemented("Operations are listed without a filter, or by done:true.")
        wanted = _FILTERS[request.filter]
        self.catch_up()
        database = request.name.removesuffix("/operations")
        with self._lock:
            jobs = sorted(self._jobs.items())
        found = [_build_operation(job) for name, job in jobs if name.startswith(f"{database}/operations/")]
        kept = [one for one in found if _matches_filter(one, wanted)]
        shown, token = page(
            kept, lambda one: str(one.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        return operations_pb2.ListOperationsResponse(operations=shown, next_page_token=token)

    def _ended(self, job: _PendingOperation) -> _PendingOperation:
        kind, finish = self.kinds[job.kind]
        operation = _build_operation(job)
        metadata: Any = kind()
        operation.metadata.Unpack(metadata)
        metadata.end_time.FromDatetime(job.due_at)
        response = finish(metadata, job.failure)
        operation.metadata.Pack(metadata)
        operation.done = True
        if job.failure:
            operation.error.code = _FAILED
            operation.error.message = job.failure
        else:
            operation.response.Pack(response)
        return msgspec.structs.replace(job, operation=operation.SerializeToString())

    def _keep(self, name: str, job: _PendingOperation) -> None:
        self._journal.write(_JOURNAL_SERVICE, [(name, msgspec.msgpack.encode(job))])
        self._jobs[name] = job


def _build_operation(job: _PendingOperation) -> Any:
    return operations_pb2.Operation.FromString(job.operation)


def _matches_filter(operation: Any, done: bool | None) -> bool:
    if done is None:
        return not operation.done or operation.HasField("error")
    return bool(operation.done is done)
