"""Requests as Cloud Run's routers counted them, from Cloud Monitoring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.cloud import monitoring_v3

from shared.gcp.answers import READ, READ_SECONDS, translated
from shared.health import Requests

PERMISSIONS: Final = ("monitoring.timeSeries.list",)

POINT = timedelta(minutes=1)
"""The metric's sampling period, and the shortest alignment period."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAILED = "5xx"
_CLASS = "response_code_class"
_SERVICE = "service_name"

_Request = monitoring_v3.ListTimeSeriesRequest.pb()
_SeriesMessage = monitoring_v3.TimeSeries.pb
_DELTA = monitoring_v3.Aggregation.Aligner.ALIGN_DELTA
_SUM = monitoring_v3.Aggregation.Reducer.REDUCE_SUM


class RouterMetrics:
    """A Metrics over `run.googleapis.com/request_count` of one project and region.

    The metric counts requests that reached an instance, at their end: a revision that does not
    start is not in it (its descriptor, read 2026-11). Sampled every 60 s, visible up to 3 minutes
    later.
    """

    def __init__(self, client: Any, project: str, region: str) -> None:
        self._client = client
        self._project = project
        self._region = region

    def requests(self, start: datetime, end: datetime) -> dict[str, Requests]:
        """Per service (short name), over the minutes that lie whole within `start` and `end`.

        A service without a visible point is left out. Raises: Unavailable, Throttled, Rejected.
        """
        first, last = _minute_after(start), _minute_before(end)
        if first >= last:
            return {}
        total: dict[str, int] = defaultdict(int)
        failed: dict[str, int] = defaultdict(int)
        for series in self._series(first, last):
            service = series.resource.labels[_SERVICE]
            counted = sum(_counts(series.points, first, last))
            total[service] += counted
            if series.metric.labels[_CLASS] == _FAILED:
                failed[service] += counted
        return {name: Requests(count, failed[name]) for name, count in total.items() if count}

    def _series(self, start: datetime, end: datetime) -> list[Any]:
        request = _Request(name=f"projects/{self._project}", filter=self._filter())
        request.interval.start_time.FromDatetime(start)
        request.interval.end_time.FromDatetime(end)
        request.aggregation.alignment_period.FromTimedelta(POINT)
        request.aggregation.per_series_aligner = _DELTA
        request.aggregation.cross_series_reducer = _SUM
        request.aggregation.group_by_fields.extend(
            [f"resource.label.{_SERVICE}", f"metric.label.{_CLASS}"]
        )
        with translated(READ):
            pages = self._client.list_time_series(request, retry=None, timeout=READ_SECONDS)
            return list(map(_SeriesMessage, pages))

    def _filter(self) -> str:
        """A filter needs the type of the resource beside that of the metric (alert.proto)."""
        return (
            'metric.type="run.googleapis.com/request_count"'
            ' AND resource.type="cloud_run_revision"'
            f' AND resource.label.location="{self._region}"'
        )


def _counts(points: Iterable[Any], start: datetime, end: datetime) -> Iterator[int]:
    """Values of the points that lie whole within two moments."""
    for point in points:
        since = point.interval.start_time.ToDatetime(tzinfo=UTC)
        until = point.interval.end_time.ToDatetime(tzinfo=UTC)
        if start <= since and until <= end:
            yield point.value.int64_value


def _minute_before(moment: datetime) -> datetime:
    return moment - (moment - _EPOCH) % POINT


def _minute_after(moment: datetime) -> datetime:
    return moment + (_EPOCH - moment) % POINT
