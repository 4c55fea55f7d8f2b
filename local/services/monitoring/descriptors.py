"""What is known of metrics and of what they are measured on.

By https://cloud.google.com/monitoring/api/metrics_gcp and …/resources, read 2026-11; log-based and
custom metrics are those that this cloud counts.
"""

from collections.abc import Iterable

from msgspec import Struct

from local.application import Application
from local.core.rest import Resource
from local.services.monitoring import log_metrics
from local.services.monitoring.signal_rules import RULES

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


def build_metric_descriptor(project: str, name: str, one: Descriptor) -> Resource:
    """`google.api.MetricDescriptor`."""
    return {
        "name": f"projects/{project}/metricDescriptors/{name}",
        "type": name,
        "labels": _labels(one.labels),
        "metricKind": one.kind,
        "valueType": one.value,
        "unit": one.unit,
        "monitoredResourceTypes": [one.resource],
    }


def build_resource_descriptor(project: str, name: str) -> Resource:
    """`google.api.MonitoredResourceDescriptor`."""
    return {
        "name": f"projects/{project}/monitoredResourceDescriptors/{name}",
        "type": name,
        "labels": _labels(RESOURCE_LABELS[name]),
    }


def _labels(keys: Iterable[str]) -> list[Resource]:
    return [{"key": key} for key in keys]
