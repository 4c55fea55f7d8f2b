"""Descriptors of metrics and resources, by gRPC and by REST: one state."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3.services.metric_service.transports.grpc import MetricServiceGrpcTransport
from google.protobuf import json_format

from local.cloud import Cloud
from tests.local.support.rest import Product, product_at, running

V3 = "/v3/projects/shop"
COUNT = "run.googleapis.com/request_count"
DATABASE = "firestore.googleapis.com/Database"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running() as cloud:
        yield cloud


rest = product_at("monitoring.googleapis.com")


@pytest.fixture
def client(cloud: Cloud) -> Iterator[monitoring_v3.MetricServiceClient]:
    channel = grpc.insecure_channel(cloud.addresses["monitoring"])
    with monitoring_v3.MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel)) as client:
        yield client


def as_json(message: Any) -> Any:
    return json_format.MessageToDict(message)


def test_metrics(client: monitoring_v3.MetricServiceClient, rest: Product) -> None:
    """Listed in pages, and read one by one, alike by both."""
    listed = list(client.list_metric_descriptors(request={"name": "projects/shop", "page_size": 3}))

    [page] = [rest.get(f"{V3}/metricDescriptors")]
    assert [as_json(one) for one in listed] == page["metricDescriptors"]
    [count] = [one for one in listed if one.type == COUNT]
    assert client.get_metric_descriptor(name=count.name) == count
    assert rest.get(f"/v3/{count.name}") == as_json(count)
    assert count.name == f"projects/shop/metricDescriptors/{COUNT}"
    assert list(count.monitored_resource_types) == ["cloud_run_revision"]


def test_resources(client: monitoring_v3.MetricServiceClient, rest: Product) -> None:
    """The same of what is measured."""
    listed = list(client.list_monitored_resource_descriptors(name="projects/shop"))

    assert [as_json(one) for one in listed] == rest.get(f"{V3}/monitoredResourceDescriptors")[
        "resourceDescriptors"
    ]
    [database] = [one for one in listed if one.type == DATABASE]
    assert client.get_monitored_resource_descriptor(name=database.name) == database


def test_one_type(client: monitoring_v3.MetricServiceClient, rest: Product) -> None:
    """By a filter; any other filter is refused, and so is what is not there."""
    wanted = {"name": "projects/shop", "filter": f'metric.type = "{COUNT}"'}
    measured_on = rest.get(f"{V3}/monitoredResourceDescriptors?filter=resource.type%3D%22global%22")

    assert [one.type for one in client.list_metric_descriptors(request=wanted)] == [COUNT]
    assert [one["type"] for one in measured_on["resourceDescriptors"]] == ["global"]
    for more in ({"filter": "metric.type = starts_with(x)"}, {"active_only": True}):
        with pytest.raises(InvalidArgument):
            client.list_metric_descriptors(request={"name": "projects/shop", **more})
    for read, name in (
        (client.get_metric_descriptor, "metricDescriptors/a/b"),
        (client.get_monitored_resource_descriptor, "monitoredResourceDescriptors/a"),
    ):
        with pytest.raises(NotFound):
            read(name=f"projects/shop/{name}")
