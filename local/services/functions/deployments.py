"""How functions are deployed, created and deleted: requests that end later as operations."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
from google.cloud import functions_v2
from google.longrunning import operations_pb2
from google.protobuf.message import Message
from msgspec.structs import replace

from local.application import Application
from local.application.applications import (
    ApplicationRegistry,
    Location,
    invalid_argument,
    location_of,
    not_found,
    parse_resource_name,
)
from local.application.builds import Build, BuildRequest
from local.application.service import ApplicationService, Archive, RevisionConfiguration
from local.core.grpc_services import StatusError
from local.core.pages import page
from local.faults.hooks import FaultHooks
from local.services.functions.definitions import (
    change_definition,
    list_changed_fields,
    list_stated_fields,
    read_document_trigger,
    refuse_idle_fields,
)
from local.services.functions.messages import read_definition
from local.services.functions.runtimes import NAMES
from local.services.plain_functions import PlainFunctions
from local.services.run.quota import WriteQuotaBucket

MAX_PAGE_SIZE = 100
QUOTA_METRIC = "cloudfunctions.googleapis.com/write_requests"
"""60 writes in 60 s and region, of the 2nd generation."""
MAX_TIMEOUT_SECONDS = 3600
"""https://cloud.google.com/functions/quotas (read 2026-11)."""
_RESERVED_VARIABLES = frozenset(
    ("FUNCTION_SIGNATURE_TYPE", "FUNCTION_TARGET", "K_CONFIGURATION", "K_REVISION", "K_SERVICE", "PORT")
)
"""https://cloud.google.com/functions/docs/configuring/env-var (read 2026-11)."""
_ID = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_MEMORY = re.compile(r"\d+(\.\d+)?(k|M|G|Ki|Mi|Gi)?")
"""ServiceConfig.available_memory, google-cloud-functions 1.25.0."""
_FUNCTION: Any = functions_v2.Function.pb()
_METADATA: Any = functions_v2.OperationMetadata.pb()


class FunctionDeploymentCalls:
    """The writes of `FunctionService`. One deployment of a function at a time: a second is refused.

    Whether the source is there, its secrets can be read and its container starts shows when the
    build is due.
    """

    def __init__(
        self, estate: ApplicationRegistry, quota: WriteQuotaBucket, faults: FaultHooks, plain: PlainFunctions
    ) -> None:
        self._estate = estate
        self._plain = plain
        self._quota = quota
        self._faults = faults
        self.require_account: Callable[[str], None] = lambda _name: None
        """Refuses a service account that is not there, by its address or name."""

    def UpdateFunction(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A new build with what the mask names; an empty mask names all that is set.

        Without `all_traffic_on_latest_revision` the traffic list stays: a function whose traffic
        is pinned gives the new revision nothing.
        """
        location, (function,) = parse_resource_name(request.function.name, "functions")
        paths = list_changed_fields(request.update_mask.paths, request.function)
        self._check_values(request.function)
        if request.function.name in self._plain:
            self._quota.spend_write(location, dry_run=False)
            return self._plain.update(request.function, request.update_mask.paths)
        application, service = self._found(location, function)
        return self._begin(application, service, "update", request.function, paths)

    def CreateFunction(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A function of the policy that was deleted is there again, its traffic on the newest.

        Any other one is nobody's application: it is kept as it is asked for.
        """
        location, _ = parse_resource_name(request.parent)
        self._check_values(request.function)
        for application in self._estate.applications_in(location):
            if request.function_id in application.policy.functions:
                service = application.service_of(request.function_id)
                if service.deleted_at is None:
                    raise StatusError(
                        grpc.StatusCode.ALREADY_EXISTS,
                        f"Resource '{location}/functions/{request.function_id}' already exists",
                    )
                paths = list_stated_fields(request.function)
                return self._begin(application, service, "create", request.function, paths)
        if not _ID.fullmatch(request.function_id):
            raise invalid_argument(f"function_id '{request.function_id}' is not the id of a function")
        self._quota.spend_write(location, dry_run=False)
        return self._plain.create(f"{location}/functions/{request.function_id}", request.function)

    def DeleteFunction(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The function is gone at once, with its service."""
        location, (function,) = parse_resource_name(request.name, "functions")
        if request.name in self._plain:
            self._quota.spend_write(location, dry_run=False)
            return self._plain.delete(request.name)
        application, service = self._found(location, function)
        self._admit(application, function)
        application.delete(service.function)
        return self._plain.record_deletion(_FUNCTION(name=request.name))

    def _check_values(self, function: Any) -> None:
        """Raises: StatusError INVALID_ARGUMENT, NOT_FOUND for a service account."""
        _check_values(function)
        self.require_account(function.service_config.service_account_email)
        self.require_account(function.build_config.service_account)
        self.require_account(function.event_trigger.service_account_email)

    def _begin(
        self,
        application: Application,
        service: ApplicationService,
        verb: str,
        function: Any,
        paths: list[str],
    ) -> Message:
        seen = service if verb == "update" else _renew(service, function)
        refuse_idle_fields(application, seen, function, paths)
        wanted = _read_build_request(function, paths, seen)
        self._admit(application, service.function)
        name = f"{location_of(application)}/functions/{service.function}"
        unusual = self._faults.fate(f"operation {name}")
        message = _FUNCTION()
        message.CopyFrom(function)
        message.name = name
        build = application.builds.begin(
            service.function, verb, wanted, message, unusual.delay or timedelta(), unusual.failure
        )
        return operation_message(application, build)

    def _admit(self, application: Application, function: str) -> None:
        self._quota.spend_write(location_of(application), dry_run=False)
        if application.builds.running(function) is not None:
            raise StatusError(
                grpc.StatusCode.ABORTED,
                f"An operation on function {function} in region {application.region} in project "
                f"{application.project} is already in progress. Please try again later.",
            )

    def _found(self, location: Location, function: str) -> tuple[Application, ApplicationService]:
        for application in self._estate.applications_in(location):
            if function in application.policy.functions:
                service = application.service_of(function)
                if service.deleted_at is None:
                    return application, service
        raise not_found(f"{location}/functions/{function}")


class Deployments:
    """`google.longrunning.Operations` of the deployments of functions."""

    def __init__(self, estate: ApplicationRegistry, plain: PlainFunctions) -> None:
        self._estate = estate
        self._plain = plain

    def GetOperation(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """An operation by its full name."""
        location, (identity,) = parse_resource_name(request.name, "operations")
        for application in self._estate.applications_in(location):
            for build in application.builds.all():
                if build.id == identity:
                    return operation_message(application, build)
        for operation in self._plain.operations(location):
            if operation.name == request.name:
                return operation
        raise not_found(request.name)

    def ListOperations(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A region's operations, the newest first; unfiltered."""
        location, _ = parse_resource_name(request.name.removesuffix("/operations"))
        if request.filter:
            raise invalid_argument(f"filter '{request.filter}' is not supported")
        found = [
            operation_message(application, build)
            for application in self._estate.applications_in(location)
            for build in reversed(application.builds.all())
        ]
        found += self._plain.operations(location)
        shown, token = page(
            found, lambda one: str(one.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        return operations_pb2.ListOperationsResponse(operations=shown, next_page_token=token)


def operation_message(application: Application, build: Build) -> Message:
    """`google.longrunning.Operation` of a build, as far as it has come."""
    location = location_of(application)
    message = operations_pb2.Operation(name=f"{location}/operations/{build.id}", done=build.ended)
    told = _METADATA(
        target=f"{location}/functions/{build.function}", verb=build.verb, create_time=build.started_at
    )
    told.request_resource.Pack(build.message)
    message.metadata.Pack(told)
    if build.ended and build.failure:
        message.error.code = grpc.StatusCode.FAILED_PRECONDITION.value[0]
        message.error.message = build.failure
    elif build.ended:
        message.response.Pack(build.message)
    return message


def _check_values(function: Any) -> None:
    """Raises: StatusError INVALID_ARGUMENT for a value that cannot be."""
    config, runtime = function.service_config, function.build_config.runtime
    memory = config.available_memory
    if runtime and runtime not in NAMES:
        raise invalid_argument(f"runtime '{runtime}' is none of {', '.join(NAMES)}")
    if memory and not _MEMORY.fullmatch(memory):
        raise invalid_argument(f"available_memory '{memory}' is no amount of memory")
    if not 0 <= config.timeout_seconds <= MAX_TIMEOUT_SECONDS:
        raise invalid_argument(f"timeout_seconds {config.timeout_seconds} is not 0 to {MAX_TIMEOUT_SECONDS}")
    least, most = config.min_instance_count, config.max_instance_count
    if min(least, most) < 0 or 0 < most < least:
        raise invalid_argument(f"min_instance_count {least} and max_instance_count {most} cannot be")
    keys = {*config.environment_variables, *(one.key for one in config.secret_environment_variables)}
    if reserved := keys & _RESERVED_VARIABLES:
        raise invalid_argument(f"environment_variables: {min(reserved)} is reserved")


def _renew(service: ApplicationService, function: Any) -> ApplicationService:
    """Return a deleted function as a creation finds it: nothing has been asked of it."""
    blank = replace(service.latest_created, configuration=RevisionConfiguration(), definition={})
    return replace(service, hears=read_document_trigger(function), revisions=(blank,))


def _read_build_request(function: Any, paths: list[str], service: ApplicationService) -> BuildRequest:
    """Return what is to be built of a service as it is before."""
    config, before = function.service_config, service.latest_created.configuration
    named = {path.removeprefix("service_config.") for path in paths}
    changes: dict[str, Any] = {}
    if "environment_variables" in named:
        variables = dict(config.environment_variables)
        variables.pop("RELEASE", None)  # every revision has it by itself
        changes["environment"] = variables
    if "secret_environment_variables" in named:
        changes["secrets"] = {
            one.key: f"{one.secret.rpartition('/')[2]}/{one.version}"
            for one in config.secret_environment_variables
        }
    for field, ours in (
        ("min_instance_count", "min_instances"),
        ("max_instance_count", "max_instances"),
        ("max_instance_request_concurrency", "concurrency"),
    ):
        if field in named:
            changes[ours] = getattr(config, field)
    follow = "all_traffic_on_latest_revision" in named and config.all_traffic_on_latest_revision
    return BuildRequest(
        source=_archive(function, paths),
        configuration=replace(before, **changes),
        follow_latest=follow,
        definition=change_definition(read_definition(service), function, paths),
        hears=service.hears,
    )


def _archive(function: Any, paths: list[str]) -> Archive | None:
    if not any(path.startswith("build_config.source") for path in paths):
        return None
    place = function.build_config.source.storage_source
    if not place.bucket or not place.object_:
        raise invalid_argument("build_config.source.storage_source needs a bucket and an object")
    return Archive(place.bucket, place.object_, place.generation)
