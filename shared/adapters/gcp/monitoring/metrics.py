"""What Cloud Monitoring has counted: requests, sign-ins, what waits."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import monitoring_v3

from shared.adapters.gcp.errors import READ_TIMEOUT_SECONDS, translate_errors
from shared.domain.signals.health import RouterRequests

PERMISSIONS = ("monitoring.timeSeries.list",)

SAMPLING_INTERVAL = timedelta(minutes=1)
"""The metric's sampling period, and the shortest alignment period."""
MAX_PER_MINUTE_WINDOW = 15 * SAMPLING_INTERVAL
"""A longer window is asked for as one point: an hour of 1,000 services would be 120,000."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAILED = "5xx"
_CLASS = "response_code_class"
_SERVICE = "service_name"
_BY_SERVICE = (f"resource.label.{_SERVICE}", f"metric.label.{_CLASS}")

_Request = monitoring_v3.ListTimeSeriesRequest.pb()
_DELTA = monitoring_v3.Aggregation.Aligner.ALIGN_DELTA
_SUM = monitoring_v3.Aggregation.Reducer.REDUCE_SUM
_MEDIAN = monitoring_v3.Aggregation.Reducer.REDUCE_PERCENTILE_50


class RouterMetrics:
    """A Metrics over one project and region. What is counted of its log bears the system's name.

    `run.googleapis.com/request_count` counts requests that reached an instance, at their end: a
    revision that does not start is not in it (its descriptor, read 2026-11). Sampled every 60 s,
    visible up to 3 minutes later. `request_latencies` is a distribution in milliseconds.
    """

    def __init__(self, client: Any, system: str, project: str, region: str) -> None:
        self._client = client
        self._counters = f"logging.googleapis.com/user/rollback_{system.replace('-', '_')}"
        # A filter needs the type of the resource beside that of the metric (alert.proto).
        self._revisions = (
            'metric.type="run.googleapis.com/{}" AND resource.type="cloud_run_revision"'
            f' AND resource.label.location="{region}"'
        )
        self._project = project

    def requests(self, start: datetime, end: datetime) -> dict[str, RouterRequests]:
        """Count by service (short name) over whole minutes; one without a point is left out."""
        total: dict[str, int] = defaultdict(int)
        failed: dict[str, int] = defaultdict(int)
        for series, count in self._points(self._revisions.format("request_count"), start, end, _BY_SERVICE):
            service = series.resource.labels[_SERVICE]
            total[service] += count.int64_value
            if series.metric.labels[_CLASS] == _FAILED:
                failed[service] += count.int64_value
        return {name: RouterRequests(count, failed[name]) for name, count in total.items() if count}

    def latencies(self, start: datetime, end: datetime) -> dict[str, float]:
        """Return the median seconds by service (short name) over whole minutes.

        The reducer pools the distributions of all revisions and response codes (common.proto).
        """
        metric_filter = self._revisions.format("request_latencies")
        return {
            series.resource.labels[_SERVICE]: median.double_value / 1000
            for series, median in self._points(metric_filter, start, end, _BY_SERVICE[:1], _MEDIAN)
            if median.double_value > 0
        }

    def sign_ins(self, start: datetime, end: datetime) -> RouterRequests:
        """Over the same minutes, by the log of Identity Platform's requests."""
        # Counters of the log, as terraform/log_metrics.tf makes them, over its log's resource.
        wanted = f'metric.type="{self._counters}_{{}}" AND resource.type="identitytoolkit_project"'
        total, failed = (
            sum(count.int64_value for _, count in self._points(wanted.format(name), start, end))
            for name in ("sign_ins", "sign_in_failures")
        )
        return RouterRequests(total, failed)

    def count_matching(self, wanted: str, start: datetime, end: datetime) -> int | None:
        """Over the same minutes, all series together."""
        counts = [count.int64_value for _, count in self._points(wanted, start, end)]
        return sum(counts) if counts else None

    def _points(
        self,
        metric_filter: str,
        start: datetime,
        end: datetime,
        group_by: Collection[str] = (),
        reducer: int = _SUM,
    ) -> Iterator[tuple[Any, Any]]:
        """Yield the value of each point over whole minutes, with its series: one a group."""
        first = start + (_EPOCH - start) % SAMPLING_INTERVAL
        last = end - (end - _EPOCH) % SAMPLING_INTERVAL
        if first >= last:
            return
        for series in self._series(metric_filter, first, last, group_by, reducer):
            for point in series.points:
                since = point.interval.start_time.ToDatetime(tzinfo=UTC)
                if first <= since and point.interval.end_time.ToDatetime(tzinfo=UTC) <= last:
                    yield series, point.value

    def _series(
        self, metric_filter: str, start: datetime, end: datetime, group_by: Collection[str], reducer: int
    ) -> list[Any]:
        span = end - start
        request = _Request(name=f"projects/{self._project}", filter=metric_filter)
        request.interval.start_time.FromDatetime(start)
        request.interval.end_time.FromDatetime(end)
        request.aggregation.alignment_period.FromTimedelta(
            span if span > MAX_PER_MINUTE_WINDOW or reducer == _MEDIAN else SAMPLING_INTERVAL
        )
        request.aggregation.per_series_aligner = _DELTA
        request.aggregation.cross_series_reducer = reducer
        request.aggregation.group_by_fields.extend(group_by)
        with translate_errors():
            pages = self._client.list_time_series(request, retry=None, timeout=READ_TIMEOUT_SECONDS)
            return list(map(monitoring_v3.TimeSeries.pb, pages))
