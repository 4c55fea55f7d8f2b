"""The Cloud Run services of functions that are no application's."""

import base64
from typing import Any

from google.cloud import functions_v2, run_v2
from google.protobuf.message import Message

from local.application import names
from local.application.applications import parse_resource_name

_Service: Any = run_v2.Service.pb()
_Revision: Any = run_v2.Revision.pb()
_Ingress = functions_v2.ServiceConfig.IngressSettings
_INGRESS = {
    _Ingress.ALLOW_INTERNAL_ONLY: run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY,
    _Ingress.ALLOW_INTERNAL_AND_GCLB: run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER,
}
_State = run_v2.Condition.State
_LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST


def build_service(function: Any) -> Message:
    """`google.cloud.run.v2.Service` of a `google.cloud.functions.v2.Function`."""
    location, (name,) = parse_resource_name(function.name, "functions")
    config = function.service_config
    generation = count_revisions(config.revision)
    sound = function.state != functions_v2.Function.State.FAILED
    revision = f"{config.service}/revisions/{config.revision}"
    traffic = [{"type_": _LATEST, "percent": 100}]
    conditions = {
        kind: {
            "type_": kind,
            "state": _State.CONDITION_SUCCEEDED if sound else _State.CONDITION_FAILED,
            "last_transition_time": function.update_time,
        }
        for kind in ("RoutesReady", "ConfigurationsReady", "Ready")
    }
    message: Message = _Service(
        name=config.service,
        uid=names.digest(f"{function.name} {function.create_time.ToJsonString()}")[:32],
        generation=generation,
        observed_generation=generation,
        labels={"goog-managed-by": "cloudfunctions", **function.labels},
        create_time=function.create_time,
        update_time=function.update_time,
        ingress=_INGRESS.get(config.ingress_settings, run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL),
        template={
            "service_account": config.service_account_email,
            "timeout": {"seconds": config.timeout_seconds},
            "max_instance_request_concurrency": config.max_instance_request_concurrency,
            "scaling": {
                "min_instance_count": config.min_instance_count,
                "max_instance_count": config.max_instance_count,
            },
            "containers": [_build_container(function, names.service_name(name))],
        },
        traffic=traffic,
        traffic_statuses=traffic,
        urls=[config.uri],
        uri=config.uri,
        conditions=[conditions["RoutesReady"], conditions["ConfigurationsReady"]],
        terminal_condition=conditions["Ready"],
        latest_created_revision=revision,
        latest_ready_revision=revision if sound else "",
        etag=f'"{base64.b64encode(f"{generation}/{location}/{name}".encode()).decode()}"',
    )
    return message


def build_revision(service: Any) -> Message:
    """`google.cloud.run.v2.Revision`: the newest of a service, which alone is known."""
    template = service.template
    message: Message = _Revision(
        name=service.latest_created_revision,
        uid=names.digest(service.latest_created_revision)[:32],
        generation=1,
        observed_generation=1,
        labels=service.labels,
        create_time=service.update_time,
        update_time=service.update_time,
        service=service.name.rpartition("/")[2],
        service_account=template.service_account,
        containers=template.containers,
        timeout=template.timeout,
        max_instance_request_concurrency=template.max_instance_request_concurrency,
        scaling=template.scaling,
        conditions=[service.terminal_condition],
        etag=service.etag,
    )
    return message


def count_revisions(newest: str) -> int:
    """How many revisions there were, by the name of the newest: `SERVICE-00007-xkc`."""
    return int(newest.split("-")[-2]) if newest else 0


def _build_container(function: Any, service: str) -> dict[str, Any]:
    config, build = function.service_config, function.build_config
    location, repository = build.docker_repository.split("/locations/")[-1].split("/repositories/")
    project = build.docker_repository.split("/")[1]
    return {
        "name": "worker",
        "image": f"{location}-docker.pkg.dev/{project}/{repository}/{service}@sha256:"
        f"{names.digest(build.build)}",
        "env": [
            *({"name": name, "value": value} for name, value in config.environment_variables.items()),
            *(
                {
                    "name": one.key,
                    "value_source": {
                        "secret_key_ref": {
                            "secret": f"projects/{one.project_id}/secrets/{one.secret}",
                            "version": one.version,
                        }
                    },
                }
                for one in config.secret_environment_variables
            ),
        ],
        "resources": {"limits": {"memory": config.available_memory, "cpu": config.available_cpu}},
        "ports": [{"name": "http1", "container_port": 8080}],
    }
