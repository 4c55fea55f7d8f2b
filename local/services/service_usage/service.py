"""Service Usage: how many writes Cloud Run admits in a project (`v1beta1`), and what is on (`v1`).

Shapes: https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics
(read 2026-11).
"""

from collections.abc import Callable
from urllib.parse import quote

import grpc

from local.application.names import project_number
from local.core.grpc_services import StatusError
from local.core.rest import Resource, RestMethod, RestRequest, build_list_response
from local.services.run.quota import METRIC, WriteQuotaBucket

HOST = "serviceusage.googleapis.com"
_MAX_PAGE_SIZE = 100


class Quotas:
    """The quota of Cloud Run's writes, the same in every region, enforced or not."""

    def __init__(
        self, writes: WriteQuotaBucket, is_on: Callable[[str, str], bool] = lambda _, __: True
    ) -> None:
        """`is_on` says of a project and an API whether somebody switched it on."""
        self._writes = writes
        self._is_on = is_on
        self.off: set[tuple[str, str]] = set()
        """Project and API: off, whatever else is said of it."""

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        service = "projects/{project}/services/{service}"
        quotas = f"/v1beta1/{service}/consumerQuotaMetrics"
        return (
            RestMethod("services.consumerQuotaMetrics.list", "GET", quotas, self._list),
            RestMethod("services.get", "GET", f"/v1/{service}", self._get),
        )

    def _get(self, request: RestRequest) -> Resource:
        project, service = request.ids["project"], request.ids["service"]
        is_on = (project, service) not in self.off and self._is_on(project, service)
        return {
            "name": f"projects/{project_number(project)}/services/{service}",
            "parent": f"projects/{project_number(project)}",
            "config": {"name": service},
            "state": "ENABLED" if is_on else "DISABLED",
        }

    def _list(self, request: RestRequest) -> Resource:
        project, service = request.ids["project"], request.ids["service"]
        if service != METRIC.partition("/")[0]:
            raise StatusError(grpc.StatusCode.NOT_FOUND, f"Service {service} has no quota here")
        parent = f"projects/{project}/services/{service}"
        admitted = str(round(self._writes.per_second * 60))
        writes: Resource = {
            "name": f"{parent}/consumerQuotaMetrics/{quote(METRIC, safe='')}",
            "metric": METRIC,
            "displayName": "Write requests",
            "consumerQuotaLimits": [
                {
                    "metric": METRIC,
                    "unit": "1/min/{project}/{region}",
                    "quotaBuckets": [{"effectiveLimit": admitted, "defaultLimit": admitted}],
                }
            ],
        }
        return build_list_response(request, "metrics", [writes], _MAX_PAGE_SIZE)
