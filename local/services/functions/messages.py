"""Functions of the applications as Cloud Functions, `v2`, shows them."""

from typing import Any

from google.cloud import functions_v2
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from local.application import Application, names
from local.application.applications import location_of
from local.application.service import ApplicationService, Archive
from local.services.eventarc.filters import function_event_filters, has_event_source
from local.services.eventarc.names import messages_of, trigger_of
from local.services.run.messages import service_account
from local.services.storage.values import StoredObject

FunctionMessage: Any = functions_v2.Function.pb()

TASK_QUEUE_LABELS = {"deployment-taskqueue": "true"}
"""The label with which Firebase deploys what a queue gives tasks."""


def read_definition(service: ApplicationService) -> dict[str, Any]:
    """Return what was asked of a function beside what is played, or what Firebase's tools ask."""
    definition = service.latest_created.definition
    if definition is not None:
        return definition
    return {
        "labels": {"deployment-tool": "cli-firebase", **(TASK_QUEUE_LABELS if service.queue else {})},
        "buildConfig": {"environmentVariables": {"GOOGLE_NODE_RUN_SCRIPTS": "build"}},
    }


def function_message(application: Application, service: ApplicationService, source: StoredObject) -> Message:
    """`google.cloud.functions.v2.Function`; its update time is that of the last deployment."""
    revision = service.latest_created
    message: Message = FunctionMessage(
        name=_name(application, service),
        environment=environment_of(service),
        state=_state(application, service),
        create_time=service.created_at,
        update_time=revision.created_at,
        url=f"https://{names.function_host(application.project, application.region)}/{service.function}",
        build_config=_build_build_config(application, service, source),
        service_config={
            **_config(application, service),
            **({} if service.first_generation else _build_run_service(application, service)),
        },
        event_trigger=build_event_trigger(application, service),
    )
    return ParseDict(read_definition(service), message)


def build_event_trigger(application: Application, service: ApplicationService) -> dict[str, Any] | None:
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


def environment_of(service: ApplicationService) -> int:
    """Return the generation of a function."""
    generation = functions_v2.Environment
    return int(generation.GEN_1 if service.first_generation else generation.GEN_2)


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
        "source": {"storage_source": source},
        "source_provenance": {"resolved_storage_source": source},
        "docker_repository": f"{location_of(application)}/repositories/gcf-artifacts",
    }
