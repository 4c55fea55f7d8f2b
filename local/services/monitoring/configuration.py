"""How Cloud Monitoring is set up, over REST: alert policies, dashboards, descriptors, PromQL.

Shapes: https://cloud.google.com/monitoring/api/ref_v3/rest (read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import grpc
from google.cloud import monitoring_v3

from local.application import Application
from local.application.applications import Estate
from local.core.clock import CloudClock
from local.core.grpc_services import Refused
from local.core.rest import Call, Request, Resource, listed
from local.services.monitoring import descriptors, promql
from local.services.monitoring.descriptors import Descriptor
from local.services.monitoring.notification import alert_policy
from local.services.monitoring.service import Metrics
from local.services.monitoring.signal_rules import RULES

LARGEST_PAGE = 1000
RECENT = timedelta(hours=1)
"""What was measured within it shows; a series of which nothing was is none."""
_TYPED = re.compile(r'\s*(?:metric|resource)\.type\s*=\s*"([^"]*)"\s*')
_COUNTED = re.compile(
    r"\s*count\s*\(\s*last_over_time\s*\((?P<selector>.*)\[\w+\]\s*\)\s*\)\s*", re.S
)


class Setup:
    """One alert policy for each signal that the applications can tell of, and what is added."""

    def __init__(self, estate: Estate, metrics: Metrics, clock: CloudClock) -> None:
        self._estate = estate
        self._metrics = metrics
        self._clock = clock
        self.policies: dict[str, list[Resource]] = {}
        """More alert policies, by project."""
        self.dashboards: dict[str, list[Resource]] = {}
        """By project."""

    def calls(self) -> tuple[Call, ...]:
        """What is served."""
        v3, v1 = "/v3/projects/{project}", "/v1/projects/{project}"
        query = f"{v1}/location/global/prometheus/api/v1/query"
        return (
            Call("projects.alertPolicies.list", "GET", f"{v3}/alertPolicies", self._policies),
            Call("projects.dashboards.list", "GET", f"{v1}/dashboards", self._dashboards),
            Call("projects.metricDescriptors.list", "GET", f"{v3}/metricDescriptors", self._kinds),
            Call(
                "projects.monitoredResourceDescriptors.list",
                *("GET", f"{v3}/monitoredResourceDescriptors", self._resources),
            ),
            Call("projects.location.prometheus.api.v1.query", "GET", query, self._query),
        )

    def _of(self, project: str) -> list[Application]:
        return [one for one in self._estate.applications if one.project == project]

    def _policies(self, request: Request) -> Resource:
        project = request.ids["project"]
        own = [
            alert_policy(one, name)
            for one in self._of(project)
            for name in RULES
            if name in one.policy.signals
        ]
        found = [*own, *self.policies.get(project, ())]
        return listed(request, "alertPolicies", found, LARGEST_PAGE)

    def _dashboards(self, request: Request) -> Resource:
        found = self.dashboards.get(request.ids["project"], [])
        return listed(request, "dashboards", found, LARGEST_PAGE)

    def _kinds(self, request: Request) -> Resource:
        project = request.ids["project"]
        known = descriptors.described(self._of(project))
        found = [descriptors.metric(project, name, known[name]) for name in _asked(request, known)]
        return listed(request, "metricDescriptors", found, LARGEST_PAGE)

    def _resources(self, request: Request) -> Resource:
        project = request.ids["project"]
        names = _asked(request, descriptors.RESOURCES)
        found = [descriptors.resource(project, name) for name in names]
        return listed(request, "resourceDescriptors", found, LARGEST_PAGE)

    def _query(self, request: Request) -> Resource:
        """A query is read whole; evaluated is only how many series a selector has.

        All else answers with nothing, as a condition does while all is well.
        """
        query = request.query.get("query", "")
        try:
            asked = promql.selectors(query)
        except promql.NoQuery as error:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None
        counting = _COUNTED.fullmatch(query)
        count = self._series(request.ids["project"], asked[0]) if counting and asked else 0
        now = self._clock.now().timestamp()
        result = [{"metric": {}, "value": [now, str(count)]}] if count else []
        return {"status": "success", "data": {"resultType": "vector", "result": result}}

    def _series(self, project: str, selector: promql.Selector) -> int:
        known = descriptors.described(self._of(project))
        names = [name for name in known if in_promql(name, known[name], selector.metric)]
        return sum(
            selector.fits(labels)
            for name in names
            for labels in self._measured(project, name, known[name])
        )

    def _measured(self, project: str, name: str, one: Descriptor) -> Iterator[dict[str, str]]:
        """The labels of each series of a metric, as PromQL shows them."""
        now = self._clock.now()
        request = monitoring_v3.ListTimeSeriesRequest.pb()(
            name=f"projects/{project}",
            filter=f'metric.type="{name}" AND resource.type="{one.resource}"',
        )
        request.interval.start_time.FromDatetime(now - RECENT)
        request.interval.end_time.FromDatetime(now)
        request.aggregation.alignment_period.FromTimedelta(RECENT)
        request.aggregation.per_series_aligner = monitoring_v3.Aggregation.Aligner.ALIGN_DELTA
        answer: Any = self._metrics.listed(request)
        for series in answer.time_series:
            of_resource = {"monitored_resource": one.resource, **series.resource.labels}
            yield {**of_resource, **series.metric.labels}


def _asked(request: Request, known: Iterable[str]) -> list[str]:
    """The types that a filter asks for; without one, all. Raises: Refused INVALID_ARGUMENT."""
    text = request.query.get("filter", "")
    found = _TYPED.fullmatch(text)
    if text and found is None:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"The filter '{text}' is not supported")
    return [name for name in known if found is None or name == found[1]]


def in_promql(name: str, one: Descriptor, metric: str) -> bool:
    """Whether PromQL calls a metric so; of a distribution, any of its three series.

    https://cloud.google.com/monitoring/promql/promql-mapping (read 2026-11).
    """
    domain, _, rest = name.partition("/")
    own = f"{re.sub(r'[^a-zA-Z0-9_]', '_', domain)}:{re.sub(r'[^a-zA-Z0-9_]', '_', rest)}"
    ends = ("_bucket", "_count", "_sum") if one.value == "DISTRIBUTION" else ("",)
    return metric in [f"{own}{end}" for end in ends]
