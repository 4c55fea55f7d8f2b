"""`google.monitoring.v3.MetricService`: requests, latencies; backlogs; sign-ins; descriptors."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.api import metric_pb2
from google.cloud import monitoring_v3
from google.protobuf.message import Message
from msgspec import Struct

from local.application import Application
from local.application.applications import ApplicationRegistry, invalid_argument
from local.application.latency import quantile
from local.core.clock import CloudClock
from local.core.pages import page
from local.services.monitoring import backlog_metrics, descriptors, filters, log_metrics
from local.services.monitoring.filters import FieldCondition
from local.services.monitoring.ingestion_delay import MINUTE, IngestionDelay, floor_to_minute
from local.services.monitoring.revision_metrics import (
    FIELDS,
    REQUEST_COUNT,
    REQUEST_LATENCIES,
    Labels,
    Window,
    count_requests,
    labels_of,
    weigh_latencies,
)

MAX_PAGE_SIZE = 100_000
"""ListTimeSeriesRequest.page_size: points at most in one answer."""

_Aligner = monitoring_v3.Aggregation.Aligner
_Reducer = monitoring_v3.Aggregation.Reducer
_Kind = metric_pb2.MetricDescriptor.MetricKind
_Type = metric_pb2.MetricDescriptor.ValueType


Points = dict[Labels, dict[Window, float]]
"""The points of each series."""


class SeriesShape(Struct, frozen=True):
    """How raw points become the points of an answer."""

    period: timedelta = MINUTE
    aligned: bool = False
    as_rate: bool = False
    keep: frozenset[str] | None = None
    """The fields that series are reduced by; None: nothing is reduced."""
    is_median: bool = False
    """Whether the reducer is the median of latencies, not the sum of counts."""

    def reduce_labels(self, labels: Labels) -> Labels:
        """What is left of a series' fields; the project always is."""
        if self.keep is None:
            return labels
        kept = self.keep | {"metric.type", "resource.type", "resource.label.project_id"}
        return tuple(pair for pair in labels if pair[0] in kept)


class MetricService:
    """Requests per minute and revision, visible once they are ingested."""

    def __init__(
        self,
        estate: ApplicationRegistry,
        clock: CloudClock,
        ingestion: IngestionDelay,
        undelivered: Callable[[str], int | None],
    ) -> None:
        """`undelivered` says how many messages wait in a subscription."""
        self._estate = estate
        self._clock = clock
        self._ingestion = ingestion
        self._undelivered = undelivered

    def ListTimeSeries(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The series that a filter asks for, points newest first; other metrics have none.

        A page holds whole series: as many as `page_size` points allow, and at least one.
        """
        return self.list_time_series(request)

    def list_time_series(self, request: Any) -> Message:
        """The same for whoever is inside."""
        wanted = filters.parse_filter(request.filter)
        start, end = _interval(request.interval)
        if any(map(wanted["metric.type"].fits, backlog_metrics.METRICS)):
            return self._backlogs(request.name, wanted, start, end)
        shape = _shape(request.aggregation, wanted["metric.type"].text)
        of_logs = wanted["metric.type"].text.startswith(log_metrics.PREFIX)
        counter = self._count_logged if of_logs else self._count
        found = (self._measure_latencies if shape.is_median else counter)(
            [one for one in self._estate.applications if f"projects/{one.project}" == request.name],
            wanted,
            shape,
            list(_windows(shape, max(start, self._oldest()), end, self._clock.now())),
        )
        bare = request.view == monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.HEADERS
        series = [(labels, {} if bare else points) for labels, points in sorted(found.items())]
        per_series = max((len(points) for points in found.values()), default=0) or 1
        size = max(1, (request.page_size or MAX_PAGE_SIZE) // per_series)
        shown, token = page(series, lambda one: repr(one[0]), size, request.page_token, size)
        response: Message = monitoring_v3.ListTimeSeriesResponse.pb()(
            time_series=[_series(shape, labels, points) for labels, points in shown], next_page_token=token
        )
        return response

    def ListMetricDescriptors(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The metrics of a project, all or those of one type."""
        return descriptors.list_metrics(request, self._metrics_of(request.name))

    def GetMetricDescriptor(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """One of them."""
        return descriptors.get_metric(request, self._metrics_of(request.name))

    def ListMonitoredResourceDescriptors(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """What metrics are measured on, all or one type."""
        return descriptors.list_resources(request)

    def GetMonitoredResourceDescriptor(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """One of them."""
        return descriptors.get_resource(request)

    def _metrics_of(self, name: str) -> dict[str, descriptors.Descriptor]:
        project = name.split("/")[1]
        return descriptors.collect_descriptors(
            one for one in self._estate.applications if one.project == project
        )

    def _backlogs(
        self, project: str, wanted: dict[str, FieldCondition], start: datetime, end: datetime
    ) -> Message:
        """Unaligned and in one page; the newest point of each, if it lies in (start, end]."""
        point = self._ingestion.newest_visible_end(self._clock.now())
        seen = start < point <= end
        response: Message = monitoring_v3.ListTimeSeriesResponse.pb()(
            time_series=[
                series
                for one in self._estate.applications
                if seen and f"projects/{one.project}" == project
                for series in backlog_metrics.build_backlog_series(one, wanted, point, self._undelivered)
            ]
        )
        return response

    def _oldest(self) -> datetime:
        """Before that there was nothing to count."""
        return min(
            (
                service.created_at
                for application in self._estate.applications
                for service in application.services()
            ),
            default=self._clock.now(),
        )

    def _count(
        self,
        applications: list[Application],
        wanted: dict[str, FieldCondition],
        shape: SeriesShape,
        windows: list[Window],
    ) -> Points:
        """Requests per series and window; windows without any visible are left out."""
        horizon = self._ingestion.newest_visible_end(self._clock.now())
        visible = [(window, (window[0], min(window[1], horizon))) for window in windows]
        found: Points = defaultdict(lambda: defaultdict(int))
        for application in applications:
            for function in application.policy.functions:
                if not _may_match(wanted, labels_of(application, function, REQUEST_COUNT)):
                    continue
                for labels, window, count in count_requests(application, function, visible):
                    if count and filters.matches_conditions(wanted, dict(labels)):
                        found[shape.reduce_labels(labels)][window] += count
        return found

    def _measure_latencies(
        self,
        applications: list[Application],
        wanted: dict[str, FieldCondition],
        shape: SeriesShape,
        windows: list[Window],
    ) -> Points:
        """Return the median milliseconds of the visible requests per group and window.

        Raises: Refused INVALID_ARGUMENT for a revision or a response code.
        """
        horizon = self._ingestion.newest_visible_end(self._clock.now())
        mixes: dict[tuple[Labels, Window], list[tuple[float, timedelta]]] = defaultdict(list)
        for application in applications:
            for function in application.policy.functions:
                labels = labels_of(application, function, REQUEST_LATENCIES)
                if (wanted.keys() | (shape.keep or set())) - labels.keys():
                    raise invalid_argument(f"{REQUEST_LATENCIES}: only labels of services are supported")
                if filters.matches_conditions(wanted, labels):
                    group = shape.reduce_labels(tuple(sorted(labels.items())))
                    for start, end in windows:
                        mix = weigh_latencies(application, function, start, min(end, horizon))
                        mixes[group, (start, end)] += mix
        medians: Points = defaultdict(dict)
        for (group, window), mix in mixes.items():
            median = quantile(mix, 0.5)
            if median is not None:
                medians[group][window] = median / timedelta(milliseconds=1)
        return medians

    def _count_logged(
        self,
        applications: list[Application],
        wanted: dict[str, FieldCondition],
        shape: SeriesShape,
        windows: list[Window],
    ) -> Points:
        """The same of a counter on log entries."""
        horizon = self._ingestion.newest_visible_end(self._clock.now())
        counted: Points = defaultdict(lambda: defaultdict(int))
        for application in applications:
            labels = {
                "metric.type": wanted["metric.type"].text,
                "resource.type": log_metrics.resource_type(wanted["metric.type"].text),
                "resource.label.project_id": application.project,
            }
            for start, end in windows if filters.matches_conditions(wanted, labels) else ():
                count = log_metrics.count(application, labels["metric.type"], start, min(end, horizon))
                if count:
                    counted[shape.reduce_labels(tuple(sorted(labels.items())))][start, end] += count
        return counted


def _interval(interval: Any) -> Window:
    end = interval.end_time.ToDatetime(tzinfo=UTC)
    start = interval.start_time.ToDatetime(tzinfo=UTC)
    if not interval.HasField("end_time") or not interval.HasField("start_time") or start >= end:
        raise invalid_argument("interval: a start time before an end time is required for a delta metric")
    return start, end


def _shape(aggregation: Any, metric: str) -> SeriesShape:
    """Raises: Refused INVALID_ARGUMENT for an aligner, reducer, period or field of another kind."""
    aligner, reducer = aggregation.per_series_aligner, aggregation.cross_series_reducer
    fields = frozenset(filters.normalize_field(name) for name in aggregation.group_by_fields)
    if unknown := sorted(fields - FIELDS):
        raise invalid_argument(f"group_by_fields: '{unknown[0]}' is not a label of {metric}")
    is_median = metric == REQUEST_LATENCIES
    if is_median and (aligner, reducer) != (_Aligner.ALIGN_DELTA, _Reducer.REDUCE_PERCENTILE_50):
        raise invalid_argument(f"{metric}: only ALIGN_DELTA with REDUCE_PERCENTILE_50 is supported")
    if not is_median and reducer not in (_Reducer.REDUCE_NONE, _Reducer.REDUCE_SUM):
        raise invalid_argument("cross_series_reducer: only REDUCE_SUM is supported")
    if aligner == _Aligner.ALIGN_NONE:
        if reducer:
            raise invalid_argument("a cross_series_reducer requires a per_series_aligner")
        return SeriesShape()
    if aligner not in (_Aligner.ALIGN_DELTA, _Aligner.ALIGN_RATE):
        raise invalid_argument("per_series_aligner: only ALIGN_DELTA and ALIGN_RATE")
    period: timedelta = aggregation.alignment_period.ToTimedelta()
    if period < MINUTE or period % MINUTE:
        raise invalid_argument("alignment_period must be a positive multiple of 60 s")
    as_rate = aligner == _Aligner.ALIGN_RATE
    return SeriesShape(period, True, as_rate, fields if reducer else None, is_median)


def _windows(shape: SeriesShape, start: datetime, end: datetime, now: datetime) -> Iterator[Window]:
    """The spans of the points that end in (start, end] and begin by now, newest first.

    Raw points end on whole minutes; aligned ones a whole number of periods before the end.
    """
    last = end if shape.aligned else floor_to_minute(end)
    last -= max(0, (last - now) // shape.period) * shape.period
    while last > start:
        yield last - shape.period, last
        last -= shape.period


def _may_match(wanted: dict[str, FieldCondition], labels: dict[str, str]) -> bool:
    """Return whether these labels are not excluded; labels that they lack are not compared."""
    return all(wanted[name].fits(labels[name]) for name in wanted.keys() & labels.keys())


def _series(shape: SeriesShape, labels: Labels, points: dict[Window, float]) -> Message:
    """`google.monitoring.v3.TimeSeries`."""
    known = dict(labels)
    message: Message = monitoring_v3.TimeSeries.pb()(
        metric={"type": known["metric.type"], "labels": _labels_with_prefix("metric.label.", labels)},
        resource={"type": known["resource.type"], "labels": _labels_with_prefix("resource.label.", labels)},
        metric_kind=_Kind.GAUGE if shape.as_rate else _Kind.DELTA,
        value_type=_Type.DOUBLE if shape.as_rate or shape.is_median else _Type.INT64,
        points=[_point(shape, *window, quantity) for window, quantity in points.items()],
        unit="1/s" if shape.as_rate else "ms" if shape.is_median else "1",
    )
    return message


def _labels_with_prefix(prefix: str, labels: Labels) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in labels if name.startswith(prefix)}


def _point(shape: SeriesShape, start: datetime, end: datetime, quantity: float) -> dict[str, Any]:
    if shape.as_rate:
        per_second = quantity / shape.period.total_seconds()
        interval = {"start_time": end, "end_time": end}
        return {"interval": interval, "value": {"double_value": per_second}}
    interval = {"start_time": start, "end_time": end}
    return {"interval": interval, "value": {"double_value" if shape.is_median else "int64_value": quantity}}
