"""How Cloud Monitoring is set up in a project, and what it takes: over REST, for a person's eyes.

Shapes: https://cloud.google.com/monitoring/api/ref_v3/rest (v3/projects.alertPolicies,
.metricDescriptors, .monitoredResourceDescriptors; v1/projects.dashboards and
.location.prometheus.api.v1), read 2026-11.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.adapters.gcp.rest import Answer, Rest
from shared.core.codec import JsonObject
from shared.ports.operations_project import Metric, MetricQuery

HOST = "monitoring.googleapis.com"
PERMISSIONS = (
    "monitoring.alertPolicies.list",
    "monitoring.dashboards.list",
    "monitoring.metricDescriptors.list",
    "monitoring.monitoredResourceDescriptors.list",
    "monitoring.timeSeries.list",
)

_PAGE = 100
_FILTERS = ("filter", "denominatorFilter")
_QUERIES = ("query", "prometheusQuery")
"""Where the one and the other stand in conditions and in tiles."""


class _Policy(Answer):
    display_name: str = ""
    enabled: bool = True
    user_labels: dict[str, str] = {}
    notification_channels: list[str] = []
    conditions: list[JsonObject] = []


class _Label(Answer):
    key: str


class _Descriptor(Answer):
    type: str
    labels: list[_Label] = []
    monitored_resource_types: list[str] = []


class _Descriptors(Answer):
    metric_descriptors: list[_Descriptor] = []
    resource_descriptors: list[_Descriptor] = []


class _Vector(Answer):
    result: list[Any] = []


class _Evaluated(Answer):
    data: _Vector = _Vector()


@dataclass
class CloudMonitoring:
    """MonitoringSettings over `v3` and `v1` of one project."""

    _rest: Rest
    _project: str

    def policies(self) -> list[MetricQuery]:
        return [
            MetricQuery(
                name=one.display_name,
                labels=one.user_labels,
                enabled=one.enabled,
                channels=len(one.notification_channels),
                filters=tuple(_texts(one.conditions, _FILTERS)),
                queries=tuple(_texts(one.conditions, _QUERIES)),
            )
            for one in self._rest.items(
                f"/v3/projects/{self._project}/alertPolicies", "alertPolicies", _Policy, _PAGE
            )
        ]

    def dashboards(self) -> list[MetricQuery]:
        path = f"/v1/projects/{self._project}/dashboards"
        return [
            MetricQuery(
                name=str(one.get("displayName", "")),
                filters=tuple(_texts(one, _FILTERS)),
                queries=tuple(_texts(one, _QUERIES)),
            )
            for one in self._rest.items(path, "dashboards", JsonObject, _PAGE)
        ]

    def metric(self, name: str) -> Metric | None:
        found = self._find_descriptor("metricDescriptors", "metric", name)
        return Metric(_labels(found), frozenset(found.monitored_resource_types)) if found else None

    def resource(self, name: str) -> frozenset[str] | None:
        found = self._find_descriptor("monitoredResourceDescriptors", "resource", name)
        return _labels(found) if found else None

    def series(self, query: str) -> int:
        path = f"/v1/projects/{self._project}/location/global/prometheus/api/v1/query"
        return len(self._rest.get(path, _Evaluated, {"query": query}).data.result)

    def _find_descriptor(self, collection: str, kind: str, name: str) -> _Descriptor | None:
        wanted = {"filter": f'{kind}.type = "{name}"'}
        found = self._rest.get(f"/v3/projects/{self._project}/{collection}", _Descriptors, wanted)
        every = (*found.metric_descriptors, *found.resource_descriptors)
        return next((one for one in every if one.type == name), None)


def _labels(found: _Descriptor) -> frozenset[str]:
    return frozenset(label.key for label in found.labels)


def _texts(value: Any, names: tuple[str, ...]) -> Iterator[str]:
    """Every text that stands under one of these names, however deep."""
    if isinstance(value, list):
        for one in value:
            yield from _texts(one, names)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name in names and isinstance(one, str):
                yield one
            else:
                yield from _texts(one, names)
