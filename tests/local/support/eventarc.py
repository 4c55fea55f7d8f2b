"""A shop whose documents have triggers, with Google's clients and Eventarc's REST API."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.cloud import firestore, functions_v2, monitoring_v3
from google.cloud.firestore_v1 import types
from google.cloud.functions_v2.services.function_service.transports.grpc import FunctionServiceGrpcTransport
from google.cloud.monitoring_v3.services.metric_service.transports.grpc import MetricServiceGrpcTransport
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from local.application import DocumentEventFilter
from local.cloud import Cloud
from local.services import eventarc
from local.services.monitoring.backlog_metrics import UNDELIVERED
from tests.local.support.cloud_process import POLICY
from tests.local.support.cloud_process import running as process
from tests.local.support.firestore import connected
from tests.local.support.rest import SHOP, Addressed, Product, running

Document, DocumentMask = types.Document.pb(), types.DocumentMask.pb()
TYPE = "google.cloud.firestore.document.v1."
PATIENCE_SECONDS = 60.0
"""Of wall time: how long a test waits for pushes before it fails."""
MAILER = {"cloudRun": {"service": "mailer", "region": "europe-west1"}}


class EventsWorld:
    """An embedded cloud with an application in a project."""

    def __init__(self, cloud: Addressed, opened: ExitStack, project: str) -> None:
        self.location = f"projects/{project}/locations/europe-west1"
        self._project = project
        self._addresses = cloud.addresses
        self.product = Product(cloud, eventarc.HOST)
        self._opened = opened
        channel = opened.enter_context(grpc.insecure_channel(cloud.addresses["pubsub"]))
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))

    @cached_property
    def database(self) -> firestore.Client:
        """The project's own database."""
        return self.database_of("(default)")

    def write(self, *paths: str) -> None:
        """Write these documents, one after the other."""
        for path in paths:
            self.database.document(path).set({"state": "new"})

    def database_of(self, name: str) -> firestore.Client:
        """One of the project's databases."""
        address = self._addresses["firestore"]
        return self._opened.enter_context(connected(address, self._project, name))

    def trigger(
        self,
        document: str = "orders/{order}",
        event: str = "written",
        *,
        name: str = "mail",
        database: str = "(default)",
        destination: dict[str, Any] = MAILER,
        **more: Any,
    ) -> Any:
        """A trigger that is made, as it can be read then."""
        filters = [
            {"attribute": "type", "value": f"{TYPE}{event}"},
            {"attribute": "database", "value": database},
            {"attribute": "document", "value": document, "operator": "match-path-pattern"},
        ]
        body = {"eventFilters": filters, "destination": destination, **more}
        self.product.done("POST", f"/v1/{self.location}/triggers?triggerId={name}", body)
        return self.product.get(f"/v1/{self.location}/triggers/{name}")

    def subscription(self, trigger: Any) -> Any:
        """The subscription by which a trigger is brought its events."""
        return self.subscriber.get_subscription(subscription=trigger["transport"]["pubsub"]["subscription"])

    def pause(self, trigger: Any) -> str:
        """Let a trigger's events wait; the name of its subscription."""
        subscription: str = trigger["transport"]["pubsub"]["subscription"]
        self.subscriber.modify_push_config(subscription=subscription, push_config={})
        return subscription

    def pull(self, subscription: str) -> list[Any]:
        """What waits there now, leased."""
        request = {"subscription": subscription, "max_messages": 1000, "return_immediately": True}
        return list(self.subscriber.pull(request).received_messages)


class Shop(EventsWorld):
    """The shop within this process; its clock stands still."""

    def __init__(self, cloud: Cloud, opened: ExitStack) -> None:
        super().__init__(cloud, opened, SHOP.project)
        self.cloud = cloud

    def hear(self, document: str = "orders/{order}") -> Any:
        """The trigger of the function `placeOrder`, which documents start now."""
        self.cloud.application(SHOP.system).connect_document_events(
            "placeOrder", DocumentEventFilter(document)
        )
        (trigger,) = self.product.get(f"/v1/{self.location}/triggers")["triggers"]
        return trigger

    def function(self) -> functions_v2.Function:
        """`placeOrder` as Functions shows it."""
        channel = self._opened.enter_context(grpc.insecure_channel(self.cloud.addresses["functions"]))
        client = functions_v2.FunctionServiceClient(transport=FunctionServiceGrpcTransport(channel=channel))
        return client.get_function(name=f"{self.location}/functions/placeOrder")

    def waiting(self) -> list[int]:
        """How many messages wait, as Monitoring counts it, in each subscription that it knows."""
        channel = self._opened.enter_context(grpc.insecure_channel(self.cloud.addresses["monitoring"]))
        client = monitoring_v3.MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))
        now = self.cloud.clock.now()
        found = client.list_time_series(
            name="projects/shop",
            filter=f'metric.type="{UNDELIVERED}" AND resource.type="pubsub_subscription"',
            interval={"start_time": now - timedelta(minutes=10), "end_time": now},
            view=monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.FULL,
        )
        return [one.points[0].value.int64_value for one in found]

    def arrived(self) -> list[tuple[str, int]]:
        """Which documents `placeOrder` has heard of, and what it answered."""
        arrivals = self.cloud.application(SHOP.system).arrivals.of("placeOrder")
        return [(one.event["ce-document"], one.status) for one in arrivals]

    def advance(self, **by: float) -> None:
        """Let cloud time pass, and what is due then be pushed."""
        self.cloud.clock.advance(timedelta(**by))
        self.settle()

    def play(self, trigger: Any, address: str) -> None:
        """Let who listens at a loopback address be the host that a trigger leads to."""
        endpoint = self.subscription(trigger).push_config.push_endpoint
        self.cloud.played[urlsplit(endpoint).hostname or ""] = address

    def settle(self) -> None:
        """Return when everything that is due by now has been pushed and answered."""
        assert self.cloud.pubsub.settle(PATIENCE_SECONDS)


@contextmanager
def shop_within(data: Path | None = None) -> Iterator[Shop]:
    """The shop in this process, running."""
    with running(data, SHOP) as cloud, ExitStack() as opened:
        yield Shop(cloud, opened)


@contextmanager
def shop_elsewhere(data: Path) -> Iterator[tuple[EventsWorld, subprocess.Popen[str]]]:
    """A shop in a process of its own, with the process."""
    file = data / "bookshop.yaml"
    file.write_text(POLICY)
    arguments = ("--policy", file, "--data", data, "--no-alerts", "--no-ticks")
    with process(*arguments) as (running, addresses), ExitStack() as opened:
        yield EventsWorld(Elsewhere(addresses), opened, "bookshop"), running


@dataclass(frozen=True)
class Elsewhere:
    """A cloud in another process."""

    addresses: Mapping[str, str]


def event_data(content: bytes) -> Any:
    """A DocumentEventData, read by a descriptor of its own."""
    return _EVENT_DATA.FromString(content)


def _event_data_class() -> Any:
    """`google.events.cloud.firestore.v1.DocumentEventData` over the documents of Firestore."""
    kinds = {"value": Document, "old_value": Document, "update_mask": DocumentMask}
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/document_event_data.proto",
        package="tests.events",
        syntax="proto3",
        dependency=sorted({kind.DESCRIPTOR.file.name for kind in kinds.values()}),
    )
    message = file.message_type.add(name="DocumentEventData")
    for number, (name, kind) in enumerate(kinds.items(), 1):
        message.field.add(
            name=name,
            number=number,
            type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
            label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            type_name=f".{kind.DESCRIPTOR.full_name}",
        )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.events.DocumentEventData"))


_EVENT_DATA = _event_data_class()
