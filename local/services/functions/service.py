"""`google.cloud.functions.v2.FunctionService` over the applications' functions."""

from typing import Any

import grpc
from google.cloud import functions_v2
from google.protobuf.message import Message

from local.application import Application
from local.application.applications import ApplicationRegistry, invalid_argument, parse_resource_name
from local.application.service import ApplicationService
from local.application.sources import Sources
from local.core.pages import page
from local.faults.hooks import FaultHooks
from local.services.functions.deployments import FunctionDeploymentCalls
from local.services.functions.messages import function_message
from local.services.functions.runtimes import Runtimes
from local.services.plain_functions import PlainFunctions
from local.services.run.quota import WriteQuotaBucket

MAX_PAGE_SIZE = 1000
"""functions_v2 ListFunctionsRequest.page_size: 1,000 is the largest, and the default."""


class Functions(FunctionDeploymentCalls):
    """Every function of the applications, and the plain ones. The real API has no etag either."""

    def __init__(
        self,
        estate: ApplicationRegistry,
        sources: Sources,
        quota: WriteQuotaBucket,
        faults: FaultHooks,
        plain: PlainFunctions,
        runtimes: Runtimes,
    ) -> None:
        super().__init__(estate, quota, faults, plain)
        self._sources = sources
        self._runtimes = runtimes

    def GetFunction(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A function by its full name."""
        location, (function,) = parse_resource_name(request.name, "functions")
        if request.revision:
            raise invalid_argument("revision applies to 1st generation functions only")
        if request.name in self._plain:
            found: Message = self._plain.find(request.name)
            return found
        return self._message(*self._found(location, function))

    def ListRuntimes(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The runtimes of a region; unfiltered."""
        if request.filter:
            raise invalid_argument(f"filter '{request.filter}' is not supported")
        return self._runtimes.list()

    def ListFunctions(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The functions of a region, or of all with `locations/-`, by name; unfiltered."""
        location, _ = parse_resource_name(request.parent)
        if request.filter:
            raise invalid_argument(f"filter '{request.filter}' is not supported")
        if request.order_by not in ("", "name"):
            raise invalid_argument(f"order_by '{request.order_by}' is not supported")
        found: list[Any] = [
            self._message(application, service)
            for application in self._estate.applications_in(location)
            for service in application.services()
            if service.deleted_at is None
        ]
        found = sorted([*found, *self._plain.below(location)], key=lambda one: str(one.name))
        shown, token = page(
            found, lambda one: str(one.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        response: Message = functions_v2.ListFunctionsResponse.pb()(functions=shown, next_page_token=token)
        return response

    def _message(self, application: Application, service: ApplicationService) -> Message:
        return function_message(application, service, self._sources.of(application, service))
