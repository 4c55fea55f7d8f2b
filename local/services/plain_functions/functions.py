"""Functions as somebody created them: what was asked for is kept and shown, and nothing runs."""

import threading
import uuid
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import grpc
from google.cloud import functions_v2
from google.longrunning import operations_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from msgspec import Struct

from local.application import names
from local.application.applications import Location, invalid_argument, not_found, parse_resource_name
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.plain_functions import services

MAX_REMEMBERED_DEPLOYMENTS = 200
_JOURNAL_SERVICE = "plain-functions"
_Function: Any = functions_v2.Function.pb()
_Metadata: Any = functions_v2.OperationMetadata.pb()
_Registry = functions_v2.BuildConfig.DockerRegistry
_State = functions_v2.Function.State
_DEFAULTS: Any = functions_v2.ServiceConfig.pb()(
    timeout_seconds=60,
    available_memory="256M",
    available_cpu="0.1666",
    max_instance_count=100,
    max_instance_request_concurrency=1,
    ingress_settings=functions_v2.ServiceConfig.IngressSettings.ALLOW_ALL,
)


class _Deployment(Struct, frozen=True):
    id: str
    verb: str
    message: Any
    """The function as it is to be."""
    started_at: datetime
    due_at: datetime
    failure: str
    ended: bool = False


class PlainFunctions:
    """Functions by their full names; safe for threads.

    A deployment takes no time, unless the faults delay it, as
    `operation projects/P/locations/R/functions/F`.
    """

    def __init__(
        self, clock: CloudClock, journal: Journal, faults: FaultHooks, generation: Callable[[str, str], int]
    ) -> None:
        """`generation` says that of a live object by its bucket and name; 0: it is not there."""
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._generation = generation
        self.has_secret: Callable[[str, str], bool] = lambda _project, _secret: True
        """Whether a project has a secret."""
        self._lock = threading.RLock()
        self._deployments: list[_Deployment] = []
        self._known = {name: _Function.FromString(value) for name, value in journal.read(_JOURNAL_SERVICE)}

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def find(self, name: str) -> Any:
        """A function by its full name. Raises: StatusError NOT_FOUND."""
        with self._lock:
            self._settle()
            if name not in self._known:
                raise not_found(name)
            shown = _Function()
            shown.CopyFrom(self._known[name])
            if self._is_running(name):
                shown.state = _State.DEPLOYING
            return shown

    def below(self, location: Location) -> list[Any]:
        """The functions of a region (`-`: of all), by name."""
        with self._lock:
            found = [name for name in sorted(self._known) if _is_in(name, location)]
            return [self.find(name) for name in found]

    def find_service(self, location: Location, service: str) -> Message:
        """The Run service of a function. Raises: StatusError NOT_FOUND."""
        for function in self.below(location):
            if names.service_name(function.name.rpartition("/")[2]) == service:
                return services.build_service(function)
        raise not_found(f"{location}/services/{service}")

    def services(self, location: Location) -> list[Message]:
        """The Run services of a region."""
        return [services.build_service(function) for function in self.below(location)]

    def revisions(self, location: Location, service: str) -> list[Any]:
        """The newest revision of a service (`-`: of each in the region).

        Raises: StatusError NOT_FOUND.
        """
        found = self.services(location) if service == "-" else [self.find_service(location, service)]
        return [services.build_revision(one) for one in found]

    def create(self, name: str, asked: Any) -> Message:
        """The operation that makes a new function. Raises: StatusError ALREADY_EXISTS."""
        with self._lock:
            if name in self._known:
                raise StatusError(grpc.StatusCode.ALREADY_EXISTS, f"Resource '{name}' already exists")
            made = _Function()
            made.CopyFrom(asked)
            made.name = name
            made.create_time.FromDatetime(self._clock.now())
            made.state = _State.FAILED
            if not asked.HasField("service_config"):
                made.service_config.all_traffic_on_latest_revision = True
            return self._deploy("create", made)

    def update(self, asked: Any, paths: Collection[str]) -> Message:
        """The operation that deploys what the paths name; without paths all that is set.

        Raises: StatusError NOT_FOUND, ABORTED while another one runs.
        """
        with self._lock:
            changed = self.find(asked.name)
            if self._is_running(asked.name):
                raise StatusError(
                    grpc.StatusCode.ABORTED, f"An operation on {asked.name} is already in progress."
                )
            mask = FieldMask(paths=list(paths) or [field.name for field, _ in asked.ListFields()])
            for holder in (asked.build_config, asked.service_config):
                holder.SetInParent()  # what a missing configuration does not set is cleared, too
            mask.MergeMessage(asked, changed, replace_message_field=True, replace_repeated_field=True)
            return self._deploy("update", changed)

    def delete(self, name: str) -> Message:
        """The operation of a deletion, which is over. Raises: StatusError NOT_FOUND."""
        with self._lock:
            gone = self.find(name)
            self._journal.write(_JOURNAL_SERVICE, [(name, None)])
            del self._known[name]
            return self.record_deletion(gone)

    def record_deletion(self, gone: Any) -> Message:
        """The operation of the deletion of any function, which is over."""
        with self._lock:
            now = self._clock.now()
            return self._remember(_Deployment(_new_id(), "delete", gone, now, now, "", ended=True))

    def operations(self, location: Location) -> list[Any]:
        """The operations of a region, the newest first."""
        with self._lock:
            self._settle()
            found = [one for one in self._deployments if _is_in(one.message.name, location)]
            return [_build_operation(one) for one in reversed(found)]

    def _deploy(self, verb: str, function: Any) -> Message:
        location, (name,) = parse_resource_name(function.name, "functions")
        source = function.build_config.source.storage_source
        if not source.bucket or not source.object_:
            raise invalid_argument("build_config.source.storage_source needs a bucket and an object")
        if function.environment == functions_v2.Environment.GEN_1:
            raise StatusError(grpc.StatusCode.UNIMPLEMENTED, "environment: the 1st generation is not served")
        if function.build_config.docker_registry == _Registry.CONTAINER_REGISTRY:
            raise invalid_argument("build_config.docker_registry: Container Registry takes no images")
        fate = self._faults.fate(f"operation {function.name}")
        now = self._clock.now()
        generation = source.generation or self._generation(source.bucket, source.object_)
        missing = "" if generation else f"Build failed: source object {source.object_} was not found"
        config = function.service_config
        for one in (*config.secret_environment_variables, *config.secret_volumes):
            project = one.project_id or location.project
            if not self.has_secret(project, one.secret):
                missing = f"Secret projects/{project}/secrets/{one.secret} was not found"
        before = self._known[function.name].service_config.revision if function.name in self else ""
        _complete(function, location, name, generation, services.count_revisions(before) + 1)
        parse_resource_name(function.build_config.docker_repository, "repositories")
        if function.name not in self:
            self._keep(function)  # it is there from now on, whatever becomes of its build
        failure = fate.failure or missing
        deployment = _Deployment(_new_id(), verb, function, now, now + fate.delay, failure)
        self._remember(deployment)
        self._settle()
        return _build_operation(next(one for one in self._deployments if one.id == deployment.id))

    def _settle(self) -> None:
        """Let every deployment end that is due."""
        now = self._clock.now()
        for at, one in enumerate(self._deployments):
            if not one.ended and one.due_at <= now:
                self._deployments[at] = _end(one)
                if one.message.name in self._known:
                    self._keep(self._deployments[at].message)

    def _is_running(self, name: str) -> bool:
        return any(one.message.name == name and not one.ended for one in self._deployments)

    def _keep(self, function: Any) -> None:
        self._journal.write(_JOURNAL_SERVICE, [(function.name, function.SerializeToString())])
        self._known[function.name] = function

    def _remember(self, deployment: _Deployment) -> Message:
        self._deployments = [*self._deployments, deployment][-MAX_REMEMBERED_DEPLOYMENTS:]
        return _build_operation(deployment)


def _end(deployment: _Deployment) -> _Deployment:
    message = _Function()
    message.CopyFrom(deployment.message)
    message.update_time.FromDatetime(deployment.due_at)
    message.state = _State.FAILED if deployment.failure else _State.ACTIVE
    return _Deployment(
        deployment.id,
        deployment.verb,
        message,
        deployment.started_at,
        deployment.due_at,
        deployment.failure,
        ended=True,
    )


def _complete(function: Any, location: Location, name: str, generation: int, revision: int) -> None:
    """Fill in what Google chooses where nothing was asked for, and what only it can say."""
    number = names.project_number(location.project)
    account = f"{number}-compute@developer.gserviceaccount.com"
    run_service = names.service_name(name)
    function.environment = functions_v2.Environment.GEN_2
    function.url = f"https://{names.function_host(location.project, location.region)}/{name}"
    build = function.build_config
    build.build = f"projects/{number}/locations/{location.region}/builds/{_new_id()}"
    build.docker_registry = _Registry.ARTIFACT_REGISTRY
    build.docker_repository = build.docker_repository or f"{location}/repositories/gcf-artifacts"
    build.service_account = build.service_account or f"projects/{location.project}/serviceAccounts/{account}"
    if build.WhichOneof("runtime_update_policy") is None:
        build.automatic_update_policy.SetInParent()
    build.source.storage_source.generation = generation
    build.source_provenance.resolved_storage_source.CopyFrom(build.source.storage_source)
    asked = functions_v2.ServiceConfig.pb()()
    asked.CopyFrom(function.service_config)
    config = function.service_config
    config.CopyFrom(_DEFAULTS)
    config.MergeFrom(asked)
    config.service_account_email = config.service_account_email or account
    config.service = f"{location}/services/{run_service}"
    config.uri = f"https://{names.run_host(run_service, location.project, location.region)}"
    config.revision = names.revision_name(run_service, revision, number)
    if function.HasField("event_trigger"):
        trigger = function.event_trigger
        trigger.trigger_region = trigger.trigger_region or location.region
        trigger.service_account_email = trigger.service_account_email or account
        suffix = names.digest(function.name)[:6]
        parent = Location(location.project, trigger.trigger_region)
        trigger.trigger = f"{parent}/triggers/{run_service}-{suffix}"


def _build_operation(deployment: _Deployment) -> Any:
    """`google.longrunning.Operation` of a deployment, as far as it has come."""
    location, _ = parse_resource_name(deployment.message.name, "functions")
    operation = operations_pb2.Operation(name=f"{location}/operations/{deployment.id}", done=deployment.ended)
    metadata = _Metadata(
        target=deployment.message.name, verb=deployment.verb, create_time=deployment.started_at
    )
    metadata.request_resource.Pack(deployment.message)
    operation.metadata.Pack(metadata)
    if deployment.ended and deployment.failure:
        operation.error.code = grpc.StatusCode.FAILED_PRECONDITION.value[0]
        operation.error.message = deployment.failure
    elif deployment.ended:
        operation.response.Pack(Empty() if deployment.verb == "delete" else deployment.message)
    return operation


def _is_in(name: str, location: Location) -> bool:
    found, _ = parse_resource_name(name, "functions")
    return found.project == location.project and location.region in ("-", found.region)


def _new_id() -> str:
    return str(uuid.uuid4())
