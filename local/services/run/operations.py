"""`google.longrunning.Operations` over the changes of the applications' services."""

import threading
from datetime import datetime, timedelta
from typing import Any

import grpc
from google.longrunning import operations_pb2
from google.protobuf.message import Message

from local.application import Application
from local.application.applications import (
    ApplicationRegistry,
    invalid_argument,
    not_found,
    parse_resource_name,
)
from local.application.service import ApplicationService, ServiceChange
from local.core.clock import CloudClock
from local.core.pages import page
from local.services.run.messages import operation_message

MAX_PAGE_SIZE = 100
MAX_WAIT = timedelta(minutes=10)
_FILTERS = {"": None, "done=true": True, "done=false": False}

Owned = tuple[Application, ApplicationService, ServiceChange]


class RunOperations:
    """Changes as operations. How far one has come is computed when somebody asks."""

    def __init__(self, estate: ApplicationRegistry, clock: CloudClock) -> None:
        self._estate = estate
        self._clock = clock

    def GetOperation(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """An operation by its full name."""
        return operation_message(*self._find(request.name), self._clock.now())

    def ListOperations(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A region's operations; the filter is empty, `done=true` or `done=false`."""
        location, _ = parse_resource_name(request.name.removesuffix("/operations"))
        if request.filter not in _FILTERS:
            raise invalid_argument(f"filter '{request.filter}' is not supported")
        wanted = _FILTERS[request.filter]
        now = self._clock.now()
        found = [
            operation_message(application, service, change, now)
            for application in self._estate.applications_in(location)
            for service, change in application.operations()
        ]
        kept = [one for one in found if wanted is None or one.done is wanted]
        shown, token = page(
            kept, lambda one: str(one.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        return operations_pb2.ListOperationsResponse(operations=shown, next_page_token=token)

    def WaitOperation(self, request: Any, context: grpc.ServicerContext) -> Message:
        """The operation when it is done, or as far as it is when the time is over.

        The time-out counts in cloud time; the client's own deadline in wall time.
        """
        asked = request.timeout.ToTimedelta() if request.HasField("timeout") else MAX_WAIT
        _, _, change = self._find(request.name)
        gone = threading.Event()

        def leave() -> None:
            gone.set()
            self._clock.wake()

        context.add_callback(leave)
        until: datetime = min(change.due_at, self._clock.now() + min(asked, MAX_WAIT))
        self._clock.wait(until, gone)
        return operation_message(*self._find(request.name), self._clock.now())

    def _find(self, name: str) -> Owned:
        location, (identity,) = parse_resource_name(name, "operations")
        for application in self._estate.applications_in(location):
            try:
                return application, *application.operation(identity)
            except KeyError:
                continue
        raise not_found(name)
