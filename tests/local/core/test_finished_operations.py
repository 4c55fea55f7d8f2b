"""Operations of REST products, which are over when they begin."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from google.longrunning import operations_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import ParseDict

from local.application import names
from local.application.parts import FIRST_RELEASE
from local.cloud import Cloud
from tests.local.support.rest import SHOP, Product, running

PLACE = f"/v1/projects/{SHOP.project}/locations/{SHOP.region}"
REGISTRY, REPOSITORIES = "artifactregistry.googleapis.com", f"{PLACE}/repositories"
EVENTARC, TRIGGERS = "eventarc.googleapis.com", f"{PLACE}/triggers"
USAGE, SERVICES = "serviceusage.googleapis.com", f"projects/{SHOP.project}/services"
AGENTS = "workloadidentity.googleapis.com"
TRIGGER = {
    "destination": {"cloudRun": {"service": "mailer", "region": SHOP.region}},
    "eventFilters": [{"attribute": "type", "value": "google.cloud.audit.log.v1.written"}],
}
IMAGES = f"{REPOSITORIES}/gcf-artifacts/packages"
PACKAGE, _, VERSION = (
    names.image(SHOP.project, SHOP.region, "placeOrder", FIRST_RELEASE).rpartition("/")[2].partition("@")
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running() as cloud:
        Product(cloud, EVENTARC).done("POST", f"{TRIGGERS}?triggerId=gone", TRIGGER)
        Product(cloud, REGISTRY).done("POST", f"{REPOSITORIES}?repositoryId=gone", {"format": "DOCKER"})
        yield cloud


@pytest.mark.parametrize(
    ("host", "method", "path", "body", "kind"),
    [
        (
            *(REGISTRY, "POST", f"{REPOSITORIES}?repositoryId=made", {"format": "DOCKER"}),
            "devtools.artifactregistry.v1.Repository",
        ),
        (REGISTRY, "DELETE", f"{REPOSITORIES}/gone", None, "protobuf.Empty"),
        (*(REGISTRY, "DELETE"), *(f"{IMAGES}/{PACKAGE}/versions/{quote(VERSION)}", None, "protobuf.Empty")),
        (EVENTARC, "POST", f"{TRIGGERS}?triggerId=made", TRIGGER, "cloud.eventarc.v1.Trigger"),
        (EVENTARC, "DELETE", f"{TRIGGERS}/gone", None, "cloud.eventarc.v1.Trigger"),
        (
            *(USAGE, "POST", f"/v1/{SERVICES}/run.googleapis.com:enable", {}),
            "api.serviceusage.v1.EnableServiceResponse",
        ),
        (
            *(USAGE, "POST", f"/v1/{SERVICES}/compute.googleapis.com:disable", {}),
            "api.serviceusage.v1.DisableServiceResponse",
        ),
        (
            *(USAGE, "POST", f"/v1/{SERVICES}:batchEnable", {"serviceIds": ["run.googleapis.com"]}),
            "api.serviceusage.v1.BatchEnableServicesResponse",
        ),
        (
            *(USAGE, "POST", f"/v1beta1/{SERVICES}/pubsub.googleapis.com:generateServiceIdentity", {}),
            "api.serviceusage.v1beta1.ServiceIdentity",
        ),
        (
            *(AGENTS, "POST", f"{PLACE}/serviceProducers/pubsub.googleapis.com:generateServiceAgents", {}),
            "cloud.workloadidentity.v1.GenerateServiceAgentsResponse",
        ),
    ],
)
def test_an_operation_names_its_response(
    cloud: Cloud, host: str, method: str, path: str, body: Any, kind: str
) -> None:
    """The response is a message that names its type, and the operation can be read again."""
    product = Product(cloud, host)

    operation = product.done(method, path, body)

    assert operation["done"]
    assert operation["response"]["@type"] == f"type.googleapis.com/google.{kind}"
    assert product.get(f"/v1/{operation['name']}") == operation
    if kind == "protobuf.Empty":
        assert ParseDict(operation, operations_pb2.Operation()).response.Is(Empty.DESCRIPTOR)


def test_each_operation_has_its_own_name(cloud: Cloud) -> None:
    """Also that of a call which changes nothing."""
    product, path = Product(cloud, EVENTARC), f"{TRIGGERS}/none?allowMissing=true"

    assert product.done("DELETE", path)["name"] != product.done("DELETE", path)["name"]
