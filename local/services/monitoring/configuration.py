"""How Cloud Monitoring is set up, over REST: alert policies, dashboards, PromQL.

Shapes: https://cloud.google.com/monitoring/api/ref_v3/rest (read 2026-11).
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import grpc
from google.cloud import monitoring_v3

from local.application import Application
from local.application.applications import ApplicationRegistry
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.rest import PAGE_PARAMETERS, Resource, RestMethod, RestRequest, build_list_response
from local.services.monitoring import descriptors, promql
from local.services.monitoring.descriptors import Descriptor
from local.services.monitoring.notification import alert_policy
from local.services.monitoring.resources import MonitoringResources
from local.services.monitoring.service import MetricService
from local.services.monitoring.signal_rules import RULES

MAX_PAGE_SIZE = 1000
SERIES_VISIBILITY_WINDOW = timedelta(hours=1)
"""What was measured within it shows; a series of which nothing was is none."""
_COUNTED = re.compile(r"\s*count\s*\(\s*last_over_time\s*\((?P<selector>.*)\[\w+\]\s*\)\s*\)\s*", re.S)


class MonitoringConfiguration:
    """One alert policy for each signal that the applications can tell of, and what is added."""

    def __init__(
        self,
        estate: ApplicationRegistry,
        metrics: MetricService,
        clock: CloudClock,
        stored: MonitoringResources,
    ) -> None:
        self._stored = stored
        self._estate = estate
        self._metrics = metrics
        self._clock = clock
        self.policies: dict[str, list[Resource]] = {}
        """More alert policies, by project."""
        self.dashboards: dict[str, list[Resource]] = {}
        """By project."""

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        v3, v1 = "/v3/projects/{project}", "/v1/projects/{project}"
        query = f"{v1}/location/global/prometheus/api/v1/query"
        pages = PAGE_PARAMETERS
        return (
            *self._stored.calls(),
            RestMethod(
                "projects.alertPolicies.list", "GET", f"{v3}/alertPolicies", self._policies, {}, pages
            ),
            RestMethod("projects.alertPolicies.get", "GET", f"{v3}/alertPolicies/{{id}}", self._policy),
            RestMethod("projects.dashboards.list", "GET", f"{v1}/dashboards", self._dashboards, {}, pages),
            RestMethod(
                *("projects.location.prometheus.api.v1.query", "GET", query, self._query),
                parameters=("query",),
            ),
        )

    def _of(self, project: str) -> list[Application]:
        return [one for one in self._estate.applications if one.project == project]

    def _policies(self, request: RestRequest) -> Resource:
        stored = self._stored.policies.stored(request)
        found = [*self._evaluated(request.ids["project"]), *stored]
        return build_list_response(request, "alertPolicies", found, MAX_PAGE_SIZE)

    def _policy(self, request: RestRequest) -> Resource:
        name = self._stored.policies.name_of(request)
        for one in self._evaluated(request.ids["project"]):
            if one["name"] == name:
                return one
        return self._stored.policies.get(request)

    def _evaluated(self, project: str) -> list[Resource]:
        """The alert policies of signals, and those that a test has added."""
        own = [
            alert_policy(one, name)
            for one in self._of(project)
            for name in RULES
            if name in one.policy.signals
        ]
        return [*own, *self.policies.get(project, ())]

    def _dashboards(self, request: RestRequest) -> Resource:
        added = self.dashboards.get(request.ids["project"], ())
        found = [*added, *self._stored.dashboards.stored(request)]
        return build_list_response(request, "dashboards", found, MAX_PAGE_SIZE)

    def _query(self, request: RestRequest) -> Resource:
        """A query is read whole; evaluated is only how many series a selector has.

        All else answers with nothing, as a condition does while all is well.
        """
        query = request.query.get("query", "")
        try:
            asked = promql.selectors(query)
        except promql.PromqlSyntaxError as error:
            raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None
        counting = _COUNTED.fullmatch(query)
        count = self._series(request.ids["project"], asked[0]) if counting and asked else 0
        now = self._clock.now().timestamp()
        result = [{"metric": {}, "value": [now, str(count)]}] if count else []
        return {"status": "success", "data": {"resultType": "vector", "result": result}}

    def _series(self, project: str, selector: promql.Selector) -> int:
        known = descriptors.collect_descriptors(self._of(project))
        names = [name for name in known if matches_promql_name(name, known[name], selector.metric)]
        return sum(
            selector.fits(labels) for name in names for labels in self._measured(project, name, known[name])
        )

    def _measured(self, project: str, name: str, one: Descriptor) -> Iterator[dict[str, str]]:
        """The labels of each series of a metric, as PromQL shows them."""
        now = self._clock.now()
        request = monitoring_v3.ListTimeSeriesRequest.pb()(
            name=f"projects/{project}", filter=f'metric.type="{name}" AND resource.type="{one.resource}"'
        )
        request.interval.start_time.FromDatetime(now - SERIES_VISIBILITY_WINDOW)
        request.interval.end_time.FromDatetime(now)
        request.aggregation.alignment_period.FromTimedelta(SERIES_VISIBILITY_WINDOW)
        request.aggregation.per_series_aligner = monitoring_v3.Aggregation.Aligner.ALIGN_DELTA
        answer: Any = self._metrics.list_time_series(request)
        for series in answer.time_series:
            of_resource = {"monitored_resource": one.resource, **series.resource.labels}
            yield {**of_resource, **series.metric.labels}


def matches_promql_name(name: str, one: Descriptor, metric: str) -> bool:
    """Whether PromQL calls a metric so; of a distribution, any of its three series.

    https://cloud.google.com/monitoring/promql/promql-mapping (read 2026-11).
    """
    domain, _, rest = name.partition("/")
    own = f"{re.sub(r'[^a-zA-Z0-9_]', '_', domain)}:{re.sub(r'[^a-zA-Z0-9_]', '_', rest)}"
    ends = ("_bucket", "_count", "_sum") if one.value == "DISTRIBUTION" else ("",)
    return metric in [f"{own}{end}" for end in ends]
