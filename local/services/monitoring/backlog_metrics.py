"""What waits for the applications' functions, in subscriptions and in queues of Cloud Tasks."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from google.api import metric_pb2
from google.cloud import monitoring_v3
from google.protobuf.message import Message

from local.application import Application
from local.application.service import ApplicationService
from local.services.eventarc.names import messages_of, subscription_of, trigger_of
from local.services.monitoring import filters

UNDELIVERED = "pubsub.googleapis.com/subscription/num_undelivered_messages"
DEPTH = "cloudtasks.googleapis.com/queue/depth"
METRICS = (UNDELIVERED, DEPTH)


def build_backlog_series(
    application: Application,
    wanted: Mapping[str, filters.FieldCondition],
    point: datetime,
    undelivered: Callable[[str], int | None],
) -> Iterator[Message]:
    """A series with one point for each subscription and queue that is asked for."""
    for service in application.services():
        if service.deleted_at is not None:
            continue
        waiting = service.waiting
        if service.hears is not None:
            waiting = undelivered(subscription_of(trigger_of(application, service)))
        if waiting is None:
            continue
        metric, resource, labels = _metric_and_resource(application, service)
        told = {f"resource.label.{name}": value for name, value in labels.items()}
        if filters.matches_conditions(wanted, {"metric.type": metric, "resource.type": resource, **told}):
            interval = {"start_time": point, "end_time": point}
            yield monitoring_v3.TimeSeries.pb()(
                metric={"type": metric},
                resource={"type": resource, "labels": labels},
                metric_kind=metric_pb2.MetricDescriptor.MetricKind.GAUGE,
                value_type=metric_pb2.MetricDescriptor.ValueType.INT64,
                points=[{"interval": interval, "value": {"int64_value": waiting}}],
                unit="1",
            )


def _metric_and_resource(
    application: Application, service: ApplicationService
) -> tuple[str, str, dict[str, str]]:
    """The metric, the type of its resource and the labels of the resource."""
    project, region = {"project_id": application.project}, application.region
    if service.queue:
        labels = {**project, "location": region, "queue_id": service.function}
        return DEPTH, "cloud_tasks_queue", labels
    topic = messages_of(application, service).rpartition("/")[2]
    name = (
        f"gcf-{service.function}-{region}-{topic}"
        if service.first_generation
        else subscription_of(trigger_of(application, service)).rpartition("/")[2]
    )
    return UNDELIVERED, "pubsub_subscription", {**project, "subscription_id": name}
