"""Service Usage: how many writes Cloud Run admits in a project (`v1beta1`), and what is on (`v1`).

Shapes: https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics
(read 2026-11).
"""

from __future__ import annotations

from urllib.parse import quote

import grpc

from local.core.grpc_services import Refused
from local.core.rest import Call, Request, Resource, listed
from local.services.run.quota import METRIC, WriteQuota

HOST = "serviceusage.googleapis.com"
_MOST = 100


class Quotas:
    """The quota of Cloud Run's writes, the same in every region, enforced or not."""

    def __init__(self, writes: WriteQuota) -> None:
        self._writes = writes
        self.off: set[tuple[str, str]] = set()
        """Project and API: every other one is on."""

    def calls(self) -> tuple[Call, ...]:
        """What is served."""
        service = "projects/{project}/services/{service}"
        quotas = f"/v1beta1/{service}/consumerQuotaMetrics"
        return (
            Call("services.consumerQuotaMetrics.list", "GET", quotas, self._list),
            Call("services.get", "GET", f"/v1/{service}", self._get),
        )

    def _get(self, request: Request) -> Resource:
        project, service = request.ids["project"], request.ids["service"]
        state = "DISABLED" if (project, service) in self.off else "ENABLED"
        return {"name": f"projects/{project}/services/{service}", "state": state}

    def _list(self, request: Request) -> Resource:
        project, service = request.ids["project"], request.ids["service"]
        if service != METRIC.partition("/")[0]:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Service {service} has no quota here")
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
        return listed(request, "metrics", [writes], _MOST)
