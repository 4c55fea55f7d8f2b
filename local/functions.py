"""`google.cloud.functions.v2.FunctionService` over the applications' functions: reads only."""

from __future__ import annotations

from typing import Any

import grpc
from google.cloud import functions_v2
from google.protobuf.message import Message

from local.application import Application, names
from local.application.estate import Estate, invalid, location_of, not_found, parse
from local.application.service import Service
from local.paging import page
from local.run.messages import service_account

LARGEST_PAGE = 1000
"""functions_v2 ListFunctionsRequest.page_size: 1,000 is the largest, and the default."""

FunctionMessage: Any = functions_v2.Function.pb()


class Functions:
    """Every function of the applications, 2nd generation. The real API has no etag either."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def GetFunction(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A function by its full name."""
        location, (function,) = parse(request.name, "functions")
        if request.revision:
            raise invalid("revision applies to 1st generation functions only")
        for application in self._estate.within(location):
            if function in application.policy.functions:
                return function_message(application, application.service_of(function))
        raise not_found(request.name)

    def ListFunctions(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The functions of a region, or of all with `locations/-`, by name; unfiltered."""
        location, _ = parse(request.parent)
        if request.filter:
            raise invalid(f"filter '{request.filter}' is not supported")
        if request.order_by not in ("", "name"):
            raise invalid(f"order_by '{request.order_by}' is not supported")
        found = [
            (application, service)
            for application in self._estate.within(location)
            for service in application.services()
        ]
        found.sort(key=lambda owned: _name(*owned))
        shown, token = page(
            found, lambda owned: _name(*owned), request.page_size, request.page_token, LARGEST_PAGE
        )
        response: Message = functions_v2.ListFunctionsResponse.pb()(
            functions=[function_message(*owned) for owned in shown], next_page_token=token
        )
        return response


def function_message(application: Application, service: Service) -> Message:
    """`google.cloud.functions.v2.Function`; its update time is that of the last deployment."""
    revision = service.latest_created
    configuration = revision.configuration
    host = names.function_host(application.project, application.region)
    run_host = names.run_host(service.name, application.project, application.region)
    state = functions_v2.Function.State
    message: Message = FunctionMessage(
        name=_name(application, service),
        environment=functions_v2.Environment.GEN_2,
        state=state.ACTIVE if revision.starts else state.FAILED,
        create_time=service.created_at,
        update_time=revision.created_at,
        labels={"deployment-tool": "cli-firebase"},
        url=f"https://{host}/{service.function}",
        build_config=_build(application, service),
        service_config={
            "service": f"{location_of(application)}/services/{service.name}",
            "revision": revision.name,
            "uri": f"https://{run_host}",
            "all_traffic_on_latest_revision": _follows_latest(service),
            "service_account_email": service_account(application),
            "environment_variables": revision.variables,
            "secret_environment_variables": [
                {
                    "key": name,
                    "project_id": application.project,
                    "secret": secret,
                    "version": version,
                }
                for name, bound in configuration.secrets.items()
                for secret, _, version in [bound.partition("/")]
            ],
            "timeout_seconds": 60,
            "available_memory": "256M",
            "min_instance_count": configuration.min_instances,
            "max_instance_count": configuration.max_instances,
            "max_instance_request_concurrency": configuration.concurrency,
            "ingress_settings": functions_v2.ServiceConfig.IngressSettings.ALLOW_ALL,
        },
    )
    return message


def _name(application: Application, service: Service) -> str:
    return f"{location_of(application)}/functions/{service.function}"


def _follows_latest(service: Service) -> bool:
    """Read true, the latest revision serves everything and will go on to."""
    return all(target.revision is None for target in service.traffic if target.percent)


def _build(application: Application, service: Service) -> dict[str, Any]:
    """Where the source of the latest revision lies: one object, a generation per deployment."""
    number = names.project_number(application.project)
    source = {
        "bucket": f"gcf-v2-sources-{number}-{application.region}",
        "object_": f"{service.function}/function-source.zip",
        "generation": int(service.latest_created.created_at.timestamp() * 1_000_000),
    }
    return {
        "runtime": "nodejs20",
        "entry_point": service.function,
        "source": {"storage_source": source},
        "source_provenance": {"resolved_storage_source": source},
        "docker_repository": f"{location_of(application)}/repositories/gcf-artifacts",
    }
