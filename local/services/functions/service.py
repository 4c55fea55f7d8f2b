"""`google.cloud.functions.v2.FunctionService` over the applications' functions."""

from typing import Any

import grpc
from google.cloud import functions_v2
from google.protobuf.message import Message

from local.application import Application, names
from local.application.applications import (
    ApplicationRegistry,
    invalid_argument,
    location_of,
    parse_resource_name,
)
from local.application.service import ApplicationService, Archive
from local.application.sources import Sources
from local.core.pages import page
from local.faults.hooks import FaultHooks
from local.services.eventarc.filters import function_event_filters, has_event_source
from local.services.eventarc.names import messages_of, trigger_of
from local.services.functions.deployments import FunctionDeploymentCalls
from local.services.functions.runtimes import Runtimes
from local.services.plain_functions import PlainFunctions
from local.services.run.messages import service_account
from local.services.run.quota import WriteQuotaBucket
from local.services.storage.values import StoredObject

MAX_PAGE_SIZE = 1000
"""functions_v2 ListFunctionsRequest.page_size: 1,000 is the largest, and the default."""

FunctionMessage: Any = functions_v2.Function.pb()

TASK_QUEUE_LABELS = {"deployment-taskqueue": "true"}
"""The label with which Firebase deploys what a queue gives tasks."""


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


def function_message(application: Application, service: ApplicationService, source: StoredObject) -> Message:
    """`google.cloud.functions.v2.Function`; its update time is that of the last deployment."""
    revision = service.latest_created
    first = service.first_generation
    environment = functions_v2.Environment.GEN_1 if first else functions_v2.Environment.GEN_2
    message: Message = FunctionMessage(
        name=_name(application, service),
        environment=environment,
        state=_state(application, service),
        create_time=service.created_at,
        update_time=revision.created_at,
        labels={"deployment-tool": "cli-firebase", **(TASK_QUEUE_LABELS if service.queue else {})},
        url=f"https://{names.function_host(application.project, application.region)}/{service.function}",
        build_config=_build_build_config(application, service, source),
        service_config={
            **_config(application, service),
            **({} if first else _build_run_service(application, service)),
        },
        event_trigger=_build_event_trigger(application, service),
    )
    return message


def _state(application: Application, service: ApplicationService) -> int:
    state = functions_v2.Function.State
    if application.builds.running(service.function) is not None:
        return int(state.DEPLOYING)
    sound = service.latest_created.starts and not service.broken
    return int(state.ACTIVE if sound else state.FAILED)


def _config(application: Application, service: ApplicationService) -> dict[str, Any]:
    """What its newest deployment runs with."""
    revision = service.latest_created
    configuration = revision.configuration
    return {
        "service_account_email": service_account(application),
        "environment_variables": revision.variables,
        "secret_environment_variables": [
            {"key": name, "project_id": application.project, "secret": secret, "version": version}
            for name, bound in configuration.secrets.items()
            for secret, _, version in [bound.partition("/")]
        ],
        "timeout_seconds": 60,
        "available_memory": "256M",
        "min_instance_count": configuration.min_instances,
        "max_instance_count": configuration.max_instances,
        "max_instance_request_concurrency": configuration.concurrency,
        "ingress_settings": functions_v2.ServiceConfig.IngressSettings.ALLOW_ALL,
    }


def _build_run_service(application: Application, service: ApplicationService) -> dict[str, Any]:
    """Where a function of the 2nd generation stands in Cloud Run."""
    host = names.run_host(service.name, application.project, application.region)
    return {
        "service": f"{location_of(application)}/services/{service.name}",
        "revision": service.latest_created.name,
        "uri": f"https://{host}",
        "all_traffic_on_latest_revision": _follows_latest(service),
    }


def _build_event_trigger(application: Application, service: ApplicationService) -> dict[str, Any] | None:
    """What brings it events; of the 1st generation nobody sees a trigger. None: nothing does."""
    if not has_event_source(service):
        return None
    kind, *filters = function_event_filters(service)
    return {
        "trigger": "" if service.first_generation else trigger_of(application, service),
        "pubsub_topic": "" if service.hears else messages_of(application, service),
        "trigger_region": application.region,
        "event_type": kind["value"],
        "event_filters": filters,
        "service_account_email": service_account(application),
        "retry_policy": functions_v2.EventTrigger.RetryPolicy.RETRY_POLICY_RETRY,
    }


def _name(application: Application, service: ApplicationService) -> str:
    return f"{location_of(application)}/functions/{service.function}"


def _follows_latest(service: ApplicationService) -> bool:
    """Read true, the latest revision serves everything and will go on to."""
    return all(target.revision is None for target in service.traffic if target.percent)


def _build_build_config(
    application: Application, service: ApplicationService, stored: StoredObject
) -> dict[str, Any]:
    """What the latest revision was built from, and where: one object, a generation per build."""
    asked = service.latest_created.source
    archive = asked or Archive(stored.bucket, stored.name, stored.generation)
    source = {"bucket": archive.bucket, "object_": archive.object, "generation": archive.generation}
    return {
        "runtime": "nodejs20",
        "entry_point": service.function,
        "environment_variables": {"GOOGLE_NODE_RUN_SCRIPTS": "build"},
        "source": {"storage_source": source},
        "source_provenance": {"resolved_storage_source": source},
        "docker_repository": f"{location_of(application)}/repositories/gcf-artifacts",
    }
