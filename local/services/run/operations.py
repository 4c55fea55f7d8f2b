"""`google.longrunning.Operations` over the changes of the applications' services."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import grpc
from google.longrunning import operations_pb2
from google.protobuf.message import Message

from local.application import Application
from local.application.applications import Estate, invalid, not_found, parse
from local.application.service import Change, Service
from local.core.clock import CloudClock
from local.core.pages import page
from local.services.run.messages import operation_message

LARGEST_PAGE = 100
LONGEST_WAIT = timedelta(minutes=10)
_FILTERS = {"": None, "done=true": True, "done=false": False}

Owned = tuple[Application, Service, Change]


class Operations:
    """Changes as operations. How far one has come is computed when somebody asks."""

    def __init__(self, estate: Estate, clock: CloudClock) -> None:
        self._estate = estate
        self._clock = clock

    def GetOperation(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """An operation by its full name."""
        return operation_message(*self._find(request.name), self._clock.now())

    def ListOperations(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A region's operations; the filter is empty, `done=true` or `done=false`."""
        location, _ = parse(request.name.removesuffix("/operations"))
        if request.filter not in _FILTERS:
            raise invalid(f"filter '{request.filter}' is not supported")
        wanted = _FILTERS[request.filter]
        now = self._clock.now()
        found = [
            operation_message(application, service, change, now)
            for application in self._estate.within(location)
            for service, change in application.operations()
        ]
        kept = [one for one in found if wanted is None or one.done is wanted]
        shown, token = page(
            kept, lambda one: str(one.name), request.page_size, request.page_token, LARGEST_PAGE
        )
        return operations_pb2.ListOperationsResponse(operations=shown, next_page_token=token)

    def WaitOperation(self, request: Any, context: grpc.ServicerContext) -> Message:
        """The operation when it is done, or as far as it is when the time is over.

        The time-out counts in cloud time; the client's own deadline in wall time.
        """
        asked = request.timeout.ToTimedelta() if request.HasField("timeout") else LONGEST_WAIT
        _, _, change = self._find(request.name)
        gone = threading.Event()

        def leave() -> None:
            gone.set()
            self._clock.wake()

        context.add_callback(leave)
        until: datetime = min(change.due_at, self._clock.now() + min(asked, LONGEST_WAIT))
        self._clock.wait(until, gone)
        return operation_message(*self._find(request.name), self._clock.now())

    def _find(self, name: str) -> Owned:
        location, (identity,) = parse(name, "operations")
        for application in self._estate.within(location):
            try:
                return application, *application.operation(identity)
            except KeyError:
                continue
        raise not_found(name)
