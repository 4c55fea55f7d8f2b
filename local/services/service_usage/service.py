"""Service Usage: how many writes Cloud Run admits in a project (`v1beta1`).

Shapes: https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics
(read 2026-11).
"""

from urllib.parse import quote

import grpc

from local.core.grpc_services import StatusError
from local.core.rest import PAGE_PARAMETERS, Resource, RestMethod, RestRequest, build_list_response
from local.services.run.quota import METRIC, WriteQuotaBucket

HOST = "serviceusage.googleapis.com"
_MAX_PAGE_SIZE = 100


class Quotas:
    """The quota of Cloud Run's writes, the same in every region, enforced or not."""

    def __init__(self, writes: WriteQuotaBucket) -> None:
        self._writes = writes

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        quotas = "/v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics"
        listed = ("services.consumerQuotaMetrics.list", "GET", quotas, self._list)
        return (RestMethod(*listed, parameters=PAGE_PARAMETERS),)

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
