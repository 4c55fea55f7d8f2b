"""What is known of metrics and of what they are measured on.

By https://cloud.google.com/monitoring/api/metrics_gcp and …/resources, read 2026-11; log-based and
custom metrics are those that this cloud counts.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from google.api.label_pb2 import LabelDescriptor
from google.api.metric_pb2 import MetricDescriptor
from google.api.monitored_resource_pb2 import MonitoredResourceDescriptor
from google.cloud import monitoring_v3
from google.protobuf.message import Message
from msgspec import Struct

from local.application import Application
from local.application.applications import invalid_argument, not_found
from local.core.pages import page
from local.services.monitoring import log_metrics
from local.services.monitoring.signal_rules import RULES

MAX_PAGE_SIZE = 1000
_TYPED = re.compile(r'\s*(?:metric|resource)\.type\s*=\s*"([^"]*)"\s*')
RESOURCE_LABELS = {
    "cloud_run_revision": (
        *("project_id", "service_name", "revision_name", "location", "configuration_name"),
    ),
    "consumer_quota": ("project_id", "service", "location"),
    "firestore.googleapis.com/Database": ("resource_container", "location", "database_id"),
    "global": ("project_id",),
    "identitytoolkit_project": ("project_id",),
    "pubsub_subscription": ("project_id", "subscription_id"),
    "uptime_url": ("project_id", "host"),
}
"""The labels of each type of monitored resource."""


class Descriptor(Struct, frozen=True):
    """How a metric is measured."""

    kind: str
    value: str
    unit: str
    resource: str
    labels: tuple[str, ...] = ()


_RESPONSES = ("response_code", "response_code_class", "route")
_CHECKS = ("check_id", "checker_location")
_CALLS = ("api_method", "response_code")
_DATABASE = "firestore.googleapis.com/Database"
METRICS = {
    "run.googleapis.com/request_count": Descriptor("DELTA", "INT64", "1", "cloud_run_revision", _RESPONSES),
    "run.googleapis.com/request_latencies": Descriptor(
        "DELTA", "DISTRIBUTION", "ms", "cloud_run_revision", _RESPONSES
    ),
    "run.googleapis.com/container/billable_instance_time": Descriptor(
        "DELTA", "DOUBLE", "s", "cloud_run_revision"
    ),
    "pubsub.googleapis.com/subscription/dead_letter_message_count": Descriptor(
        "DELTA", "INT64", "1", "pubsub_subscription"
    ),
    "pubsub.googleapis.com/subscription/num_undelivered_messages": Descriptor(
        "GAUGE", "INT64", "1", "pubsub_subscription"
    ),
    "pubsub.googleapis.com/subscription/oldest_unacked_message_age": Descriptor(
        "GAUGE", "INT64", "s", "pubsub_subscription"
    ),
    "pubsub.googleapis.com/subscription/push_request_count": Descriptor(
        *("DELTA", "INT64", "1", "pubsub_subscription"), ("delivery_type", "response_class", "response_code")
    ),
    "monitoring.googleapis.com/uptime_check/check_passed": Descriptor(
        "GAUGE", "BOOL", "", "uptime_url", _CHECKS
    ),
    "monitoring.googleapis.com/uptime_check/request_latency": Descriptor(
        "GAUGE", "DOUBLE", "ms", "uptime_url", _CHECKS
    ),
    "monitoring.googleapis.com/billing/bytes_ingested": Descriptor(
        "DELTA", "INT64", "By", "global", ("metric_domain", "resource_type")
    ),
    "logging.googleapis.com/billing/bytes_ingested": Descriptor(
        "DELTA", "INT64", "By", "global", ("resource_type",)
    ),
    "firestore.googleapis.com/api/request_count": Descriptor("DELTA", "INT64", "1", _DATABASE, _CALLS),
    "firestore.googleapis.com/api/request_latencies": Descriptor(
        "DELTA", "DISTRIBUTION", "s", _DATABASE, _CALLS
    ),
    "firestore.googleapis.com/document/read_ops_count": Descriptor(
        "DELTA", "INT64", "1", _DATABASE, ("type",)
    ),
    "firestore.googleapis.com/document/write_ops_count": Descriptor(
        "DELTA", "INT64", "1", _DATABASE, ("op",)
    ),
    "serviceruntime.googleapis.com/quota/rate/net_usage": Descriptor(
        "DELTA", "INT64", "1", "consumer_quota", ("method", "quota_metric")
    ),
    "serviceruntime.googleapis.com/quota/allocation/usage": Descriptor(
        "GAUGE", "INT64", "1", "consumer_quota", ("quota_metric",)
    ),
    "serviceruntime.googleapis.com/quota/limit": Descriptor(
        "GAUGE", "INT64", "1", "consumer_quota", ("limit_name", "quota_metric")
    ),
    "serviceruntime.googleapis.com/quota/exceeded": Descriptor(
        "GAUGE", "BOOL", "", "consumer_quota", ("limit_name", "quota_metric")
    ),
}
"""By type."""


def collect_descriptors(applications: Iterable[Application]) -> dict[str, Descriptor]:
    """Every metric of a project with these applications, by type, what they measure among them."""
    own = {
        rule.metric.type: Descriptor("GAUGE", "DOUBLE", "1", rule.metric.resource) for rule in RULES.values()
    }
    counted = {
        name: Descriptor("DELTA", "INT64", "1", log_metrics.SIGN_IN_RESOURCE)
        for one in applications
        for name in log_metrics.metric_counters(one)
    }
    return {**own, **METRICS, **counted}


def list_metrics(request: Any, known: Mapping[str, Descriptor]) -> Message:
    """A page of metrics. Raises: StatusError INVALID_ARGUMENT."""
    if request.active_only:
        raise invalid_argument("active_only is not supported")
    found = [_build_metric(request.name, name, known[name]) for name in _filter_types(request, known)]
    shown, token = page(found, lambda one: one.type, request.page_size, request.page_token, MAX_PAGE_SIZE)
    response: Message = monitoring_v3.ListMetricDescriptorsResponse.pb()(
        metric_descriptors=shown, next_page_token=token
    )
    return response


def get_metric(request: Any, known: Mapping[str, Descriptor]) -> Message:
    """A metric by its name. Raises: StatusError NOT_FOUND."""
    project, _, name = request.name.partition("/metricDescriptors/")
    if name not in known:
        raise not_found(request.name)
    return _build_metric(project, name, known[name])


def list_resources(request: Any) -> Message:
    """A page of what metrics are measured on. Raises: StatusError INVALID_ARGUMENT."""
    found = [_build_resource(request.name, name) for name in _filter_types(request, RESOURCE_LABELS)]
    shown, token = page(found, lambda one: one.type, request.page_size, request.page_token, MAX_PAGE_SIZE)
    response: Message = monitoring_v3.ListMonitoredResourceDescriptorsResponse.pb()(
        resource_descriptors=shown, next_page_token=token
    )
    return response


def get_resource(request: Any) -> Message:
    """A type of monitored resource by its name. Raises: StatusError NOT_FOUND."""
    project, _, name = request.name.partition("/monitoredResourceDescriptors/")
    if name not in RESOURCE_LABELS:
        raise not_found(request.name)
    return _build_resource(project, name)


def _build_metric(project: str, name: str, one: Descriptor) -> MetricDescriptor:
    return MetricDescriptor(
        name=f"{project}/metricDescriptors/{name}",
        type=name,
        labels=[LabelDescriptor(key=key) for key in one.labels],
        metric_kind=one.kind,
        value_type=one.value,
        unit=one.unit,
        monitored_resource_types=[one.resource],
    )


def _build_resource(project: str, name: str) -> MonitoredResourceDescriptor:
    return MonitoredResourceDescriptor(
        name=f"{project}/monitoredResourceDescriptors/{name}",
        type=name,
        labels=[LabelDescriptor(key=key) for key in RESOURCE_LABELS[name]],
    )


def _filter_types(request: Any, known: Iterable[str]) -> list[str]:
    """The types that a filter asks for; without one, all."""
    found = _TYPED.fullmatch(request.filter)
    if request.filter and found is None:
        raise invalid_argument(f"The filter '{request.filter}' is not supported")
    return [name for name in known if found is None or name == found[1]]
