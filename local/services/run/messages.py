"""Services, revisions and operations as the Admin API writes them."""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import grpc
from google.cloud import run_v2
from google.longrunning import operations_pb2
from google.protobuf.message import Message

from local.application import Application, names
from local.application.applications import location_of
from local.application.service import ApplicationService, ServiceChange, ServiceRevision, TrafficEntry

ServiceMessage: Any = run_v2.Service.pb()
RevisionMessage: Any = run_v2.Revision.pb()
TemplateMessage: Any = run_v2.RevisionTemplate.pb()

LATEST_ALLOCATION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
REVISION_ALLOCATION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
AUTOMATIC = run_v2.ServiceScaling.ScalingMode.AUTOMATIC
ALL_INGRESS = run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL
MANUAL = run_v2.ServiceScaling.ScalingMode.MANUAL
_State = run_v2.Condition.State


def etag(service: ApplicationService) -> str:
    """What changes whenever something else is asked of a service; opaque, its quotes included."""
    mark = base64.b64encode(f"{service.generation}/{service.uid}".encode()).decode()
    return f'"{mark}"'


def service_message(application: Application, service: ApplicationService) -> Message:
    """`google.cloud.run.v2.Service`."""
    name = f"{location_of(application)}/services/{service.name}"
    uri = f"https://{names.run_host(service.name, application.project, application.region)}"
    ready = service.latest_ready
    message: Message = ServiceMessage(
        name=name,
        uid=service.uid,
        generation=service.generation,
        observed_generation=service.observed_generation,
        labels=_labels(application),
        create_time=service.created_at,
        update_time=service.updated_at,
        creator=_deployer(application),
        last_modifier=_deployer(application),
        ingress=ALL_INGRESS,
        template=template_message(application, service),
        traffic=[_target(target) for target in service.traffic],
        scaling=_scaling(service),
        traffic_statuses=[_status(application, service, target) for target in service.applied],
        urls=[uri],
        uri=uri,
        conditions=[_condition(service, "RoutesReady"), _condition(service, "ConfigurationsReady")],
        terminal_condition=_condition(service, "Ready"),
        latest_created_revision=f"{name}/revisions/{service.latest_created.name}",
        latest_ready_revision=f"{name}/revisions/{ready.name}" if ready else "",
        reconciling=service.pending is not None,
        etag=etag(service),
    )
    return message


def template_message(application: Application, service: ApplicationService) -> Message:
    """`google.cloud.run.v2.RevisionTemplate`: what the latest revision was made of."""
    message: Message = TemplateMessage(
        labels=_labels(application),
        containers=[_container(application, service, service.latest_created)],
        **_definition(application, service.latest_created),
        **_capacity(service.latest_created),
    )
    return message


def revision_message(
    application: Application, service: ApplicationService, revision: ServiceRevision
) -> Message:
    """`google.cloud.run.v2.Revision`."""
    parent = f"{location_of(application)}/services/{service.name}"
    state = _State.CONDITION_SUCCEEDED if revision.starts else _State.CONDITION_FAILED
    message: Message = RevisionMessage(
        name=f"{parent}/revisions/{revision.name}",
        uid=f"{service.uid}-{revision.name}",
        generation=1,
        observed_generation=1,
        labels=_labels(application),
        create_time=revision.created_at,
        update_time=revision.created_at,
        service=service.name,
        containers=[_container(application, service, revision)],
        **_definition(application, revision),
        **_capacity(revision),
        conditions=[
            {
                "type_": "Ready",
                "state": state,
                "last_transition_time": revision.created_at,
                "message": "The container failed to start." * (not revision.starts),
            }
        ],
        etag=f'"{base64.b64encode(revision.name.encode()).decode()}"',
    )
    return message


def operation_message(
    application: Application, service: ApplicationService, change: ServiceChange, now: datetime
) -> Message:
    """`google.longrunning.Operation` of one change, as far as it has come by now."""
    message = operations_pb2.Operation(name=f"{location_of(application)}/operations/{change.id}")
    shown = service_message(application, service)
    message.metadata.Pack(shown)
    if change.superseded_at is not None:
        message.done = True
        message.error.code = grpc.StatusCode.ABORTED.value[0]
        message.error.message = "A newer change of the service took the place of this one."
    elif now >= change.due_at:
        message.done = True
        if change.failure:
            message.error.code = grpc.StatusCode.FAILED_PRECONDITION.value[0]
            message.error.message = change.failure
        else:
            message.response.Pack(shown)
    return message


def image_of(application: Application, service: ApplicationService, revision: ServiceRevision) -> str:
    """The container image that a revision runs."""
    return names.image(application.project, application.region, service.function, revision.release)


def service_account(application: Application) -> str:
    """The identity that functions run as by default."""
    return f"{names.project_number(application.project)}-compute@developer.gserviceaccount.com"


def _target(target: TrafficEntry) -> dict[str, Any]:
    return {
        "type_": LATEST_ALLOCATION if target.revision is None else REVISION_ALLOCATION,
        "revision": target.revision or "",
        "percent": target.percent,
        "tag": target.tag,
    }


def _status(application: Application, service: ApplicationService, target: TrafficEntry) -> dict[str, Any]:
    """One entry of what the routers do; an entry for the latest revision does not name it."""
    shown = _target(target)
    if target.tag:
        host = names.run_host(service.name, application.project, application.region, target.tag)
        shown["uri"] = f"https://{host}"
    return shown


def _condition(service: ApplicationService, kind: str) -> dict[str, Any]:
    state = _State.CONDITION_SUCCEEDED
    if service.pending is not None:
        state = _State.CONDITION_RECONCILING
    elif service.fault:
        state = _State.CONDITION_FAILED
    return {
        "type_": kind,
        "state": state,
        "message": service.fault if state == _State.CONDITION_FAILED else "",
        "last_transition_time": service.updated_at,
    }


def _container(
    application: Application, service: ApplicationService, revision: ServiceRevision
) -> dict[str, Any]:
    return {
        "name": "worker",
        "image": image_of(application, service, revision),
        "env": [
            *({"name": name, "value": value} for name, value in revision.variables.items()),
            *_build_secret_variables(application, revision),
        ],
        "ports": [{"name": "http1", "container_port": 8080}],
    }


def _definition(application: Application, revision: ServiceRevision) -> dict[str, Any]:
    """What the deployment of its function asks for beside capacity."""
    config = (revision.definition or {}).get("serviceConfig", {})
    return {
        "service_account": config.get("serviceAccountEmail") or service_account(application),
        "timeout": {"seconds": config.get("timeoutSeconds", 60)},
    }


def _capacity(revision: ServiceRevision) -> dict[str, Any]:
    configuration = revision.configuration
    return {
        "max_instance_request_concurrency": configuration.concurrency,
        "scaling": {
            "min_instance_count": configuration.min_instances,
            "max_instance_count": configuration.max_instances,
        },
    }


def _scaling(service: ApplicationService) -> dict[str, Any]:
    """`ServiceScaling`: of the service, while `_capacity` is a revision's own."""
    scaling = service.scaling
    shown: dict[str, Any] = {
        "min_instance_count": scaling.minimum,
        "max_instance_count": scaling.maximum,
        "scaling_mode": MANUAL if scaling.manual is not None else AUTOMATIC,
    }
    if scaling.manual is not None:
        shown["manual_instance_count"] = scaling.manual
    return shown


def _build_secret_variables(application: Application, revision: ServiceRevision) -> Iterator[dict[str, Any]]:
    """Environment variables that are filled from Secret Manager."""
    for name, bound in revision.configuration.secrets.items():
        secret, _, version = bound.partition("/")
        reference = {"secret": f"projects/{application.project}/secrets/{secret}"}
        yield {"name": name, "value_source": {"secret_key_ref": {**reference, "version": version}}}


def _labels(application: Application) -> dict[str, str]:
    return {"goog-managed-by": "cloudfunctions", "system": application.policy.system}


def _deployer(application: Application) -> str:
    number = names.project_number(application.project)
    return f"service-{number}@gcf-admin-robot.iam.gserviceaccount.com"
