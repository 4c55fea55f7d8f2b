"""What Cloud Run admits in a project, and which APIs are on there, as Service Usage tells.

Shapes: https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics
(read 2026-11).
"""

from typing import Annotated

from msgspec import Meta, Struct, field

from shared.adapters.gcp.rest import Rest

HOST = "serviceusage.googleapis.com"
PERMISSIONS = ("serviceusage.quotas.get",)
APIS_PERMISSIONS = ("serviceusage.services.get",)

_A_MINUTE = "1/min/"
"""How the unit of such a limit begins; behind it stands what it is counted by."""
_PAGE = 100
_Int64 = Annotated[str, Meta(pattern="^-?[0-9]{1,19}$")]
"""As JSON writes it."""


class _Bucket(Struct, frozen=True):
    effective_limit: _Int64 = field(name="effectiveLimit", default="0")
    """-1: there is no limit."""
    dimensions: dict[str, str] = {}


class _Limit(Struct, frozen=True):
    unit: str = ""
    quota_buckets: list[_Bucket] = field(name="quotaBuckets", default=[])
    """From the least to the most specific."""


class _Metric(Struct, frozen=True):
    metric: str = ""
    limits: list[_Limit] = field(name="consumerQuotaLimits", default=[])


class _Service(Struct, frozen=True):
    state: str
    """https://cloud.google.com/service-usage/docs/reference/rest/v1/services (read 2026-11)."""


class ServiceApis:
    """EnabledApis over every project."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def is_on(self, project: str, service: str) -> bool:
        return self._rest.get(f"/v1/projects/{project}/services/{service}", _Service).state == "ENABLED"


class ServiceQuotas:
    """A Quotas over one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1beta1/projects/{project}/services/run.googleapis.com/consumerQuotaMetrics"

    def writes_a_minute(self, region: str) -> int | None:
        limits = [
            limit
            for metric in self._rest.items(self._path, "metrics", _Metric, _PAGE)
            if "write" in metric.metric.rpartition("/")[2]
            for limit in metric.limits
            if limit.unit.startswith(_A_MINUTE)
        ]
        holding = (
            [one for one in limit.quota_buckets if one.dimensions in ({}, {"region": region})]
            for limit in limits
        )
        admitted = (int(one.effective_limit) for buckets in holding for one in buckets[-1:])
        return min((one for one in admitted if one >= 0), default=None)
