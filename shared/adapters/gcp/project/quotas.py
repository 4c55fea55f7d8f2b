"""What Cloud Run admits in a project, and which APIs are on there, as Service Usage tells.

Shapes: https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics
(read 2026-11).
"""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from shared.adapters.gcp.rest import Answer, Rest

HOST = "serviceusage.googleapis.com"
PERMISSIONS = ("serviceusage.quotas.get",)
APIS_PERMISSIONS = ("serviceusage.services.get",)

_A_MINUTE = "1/min/"
"""How the unit of such a limit begins; behind it stands what it is counted by."""
_PAGE = 100
_Int64 = Annotated[str, Meta(pattern="^-?[0-9]{1,19}$")]
"""As JSON writes it."""


class _Bucket(Answer):
    effective_limit: _Int64 = "0"
    """-1: there is no limit."""
    dimensions: dict[str, str] = {}


class _Limit(Answer):
    unit: str = ""
    quota_buckets: list[_Bucket] = []
    """From the least to the most specific."""


class _Metric(Answer):
    metric: str = ""
    consumer_quota_limits: list[_Limit] = []


class _Service(Answer):
    state: str
    """https://cloud.google.com/service-usage/docs/reference/rest/v1/services (read 2026-11)."""


@dataclass
class ServiceApis:
    """EnabledApis over every project."""

    _rest: Rest

    def is_on(self, project: str, service: str) -> bool:
        return self._rest.get(f"/v1/projects/{project}/services/{service}", _Service).state == "ENABLED"


@dataclass
class ServiceQuotas:
    """A Quotas over one project."""

    _rest: Rest
    _project: str

    def writes_a_minute(self, region: str) -> int | None:
        path = f"/v1beta1/projects/{self._project}/services/run.googleapis.com/consumerQuotaMetrics"
        limits = [
            limit
            for metric in self._rest.items(path, "metrics", _Metric, _PAGE)
            if "write" in metric.metric.rpartition("/")[2]
            for limit in metric.consumer_quota_limits
            if limit.unit.startswith(_A_MINUTE)
        ]
        holding = (
            [one for one in limit.quota_buckets if one.dimensions in ({}, {"region": region})]
            for limit in limits
        )
        admitted = (int(one.effective_limit) for buckets in holding for one in buckets[-1:])
        return min((one for one in admitted if one >= 0), default=None)
