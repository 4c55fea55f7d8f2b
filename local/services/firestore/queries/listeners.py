"""Listeners: a stream of consistent snapshots for every target, as commits change them.

Protocol: comments on `ListenResponse` and `TargetChange` in google/firestore/v1/firestore.proto. A
target that comes with a resume token is reset and sent whole, which the protocol allows.
"""

import queue
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
from google.cloud.firestore_v1 import types
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from local.core.grpc_services import StatusError
from local.services.firestore.commit_engine import DocumentView, FirestoreEngine
from local.services.firestore.messages import Document, Target
from local.services.firestore.names import check_database, check_document
from local.services.firestore.queries.query import DocumentQuery, read_query
from local.services.firestore.statuses import invalid_argument
from local.services.firestore.timeline import to_timestamp

ListenRequest: TypeAlias = Message

_Response = types.ListenResponse.pb()
_TargetChange = types.TargetChange.pb()
_Kind = types.TargetChange.TargetChangeType
_TOKEN_BYTES = 8


@dataclass
class _ListenTarget:
    """One thing listened to, and the documents of it that the client knows."""

    number: int
    query: DocumentQuery | None
    """None: the documents in `names`."""
    names: frozenset[str]
    once: bool
    known: dict[str, Document] = field(default_factory=dict)

    def is_touched(self, changed: Collection[str]) -> bool:
        """Whether a commit of these documents may change what is in the target."""
        if self.query is None:
            return not self.names.isdisjoint(changed)
        return any(self.query.scope.covers(name) for name in changed)

    def look(self, view: DocumentView) -> list[Document]:
        """The documents that are in the target now, as shown to the client."""
        if self.query is not None:
            return [self.query.project_document(document) for document in view.run(self.query)]
        found = (view.get(name) for name in sorted(self.names))
        return [document for document in found if document is not None]


class _StreamEnd:
    """The stream is over."""


_Event: TypeAlias = "ListenRequest | frozenset[str] | _StreamEnd"


def listen(
    engine: FirestoreEngine, requests: Iterator[ListenRequest], context: grpc.ServicerContext
) -> Iterator[Message]:
    """Answer the requests of one stream and tell of every change, until the client goes away."""
    events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
    if not context.add_callback(lambda: events.put(_StreamEnd())):
        return
    reader = threading.Thread(target=_enqueue_requests, args=(requests, events), daemon=True)
    reader.start()
    with engine.add_listener(lambda names: events.put(frozenset(names))):
        yield from _answer_events(engine, events)


def _enqueue_requests(requests: Iterator[ListenRequest], events: queue.SimpleQueue[_Event]) -> None:
    """Put every request among the events, and the end of the call after them."""
    try:
        with suppress(grpc.RpcError):  # the client cancelled: an ordinary end
            for request in requests:
                events.put(request)
    finally:
        events.put(_StreamEnd())


def _answer_events(engine: FirestoreEngine, events: queue.SimpleQueue[_Event]) -> Iterator[Message]:
    targets: dict[int, _ListenTarget] = {}
    while not isinstance(event := events.get(), _StreamEnd):
        if not isinstance(event, frozenset):
            yield from _change_targets(engine, targets, event)
            continue
        touched = [target for target in targets.values() if target.is_touched(event)]
        if touched:
            yield from _build_snapshot(engine, touched)


def _change_targets(
    engine: FirestoreEngine, targets: dict[int, _ListenTarget], request: ListenRequest
) -> Iterator[Message]:
    """Add a target and send all of it, or remove one."""
    if request.WhichOneof("target_change") == "remove_target":
        targets.pop(request.remove_target, None)
        yield _target_change(_Kind.REMOVE, [request.remove_target])
        return
    try:
        target = _read_target(request, len(targets) + 1)
    except StatusError as refused:
        cause = Status(code=refused.code.value[0], message=refused.message)
        yield _target_change(_Kind.REMOVE, [request.add_target.target_id], cause=cause)
        return
    targets[target.number] = target
    yield _target_change(_Kind.ADD, [target.number])
    if request.add_target.WhichOneof("resume_type"):
        yield _target_change(_Kind.RESET, [target.number])
    with engine.read_at() as view:
        changes = _changes(target, view)
    yield from changes
    yield _target_change(_Kind.CURRENT, [target.number], view.time)
    if target.once:
        del targets[target.number]
        yield _target_change(_Kind.REMOVE, [target.number])
    yield _target_change(_Kind.NO_CHANGE, [], view.time)


def _build_snapshot(engine: FirestoreEngine, targets: list[_ListenTarget]) -> Iterator[Message]:
    """What changed in the targets up to now, all at one time, and that it is consistent."""
    with engine.read_at() as view:
        changes = [change for target in targets for change in _changes(target, view)]
    if changes:
        yield from changes
        yield _target_change(_Kind.NO_CHANGE, [], view.time)


def _changes(target: _ListenTarget, view: DocumentView) -> list[Message]:
    """The differences between what the client knows of a target and what is there."""
    now = {document.name: document for document in target.look(view)}
    known, target.known = target.known, now
    gone = [_build_removal(target, view, name) for name in known if name not in now]
    changed = [
        _Response(document_change={"document": document, "target_ids": [target.number]})
        for name, document in now.items()
        if name not in known or known[name].update_time != document.update_time
    ]
    return gone + changed


def _build_removal(target: _ListenTarget, view: DocumentView, name: str) -> Message:
    """A document that left a target: it is gone, or it is only no longer in it."""
    left = {"document": name, "removed_target_ids": [target.number], "read_time": to_timestamp(view.time)}
    if view.get(name) is None:
        return _Response(document_delete=left)
    return _Response(document_remove=left)


def _target_change(
    kind: int, numbers: list[int], time: int | None = None, cause: Status | None = None
) -> Message:
    change = _TargetChange(target_change_type=kind, target_ids=numbers, cause=cause)
    if time is not None:
        change.read_time.CopyFrom(to_timestamp(time))
        change.resume_token = time.to_bytes(_TOKEN_BYTES, "big")
    return _Response(target_change=change)


def _read_target(request: ListenRequest, unnumbered: int) -> _ListenTarget:
    target: Target = request.add_target
    number = target.target_id or unnumbered
    match target.WhichOneof("target_type"):
        case "query":
            query = read_query(target.query.parent, target.query.structured_query)
            return _ListenTarget(number, query, frozenset(), target.once)
        case "documents":
            names = frozenset(
                check_document(name, check_database(request.database)) for name in target.documents.documents
            )
            return _ListenTarget(number, None, names, target.once)
        case _:
            raise invalid_argument("A target must be a query or documents.")
