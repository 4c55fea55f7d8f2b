"""Artifact Registry as the embedded cloud plays it."""

from datetime import timedelta
from urllib.parse import quote

import grpc
import pytest
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports.grpc import RevisionsGrpcTransport

from local.application import Application, names
from local.application.parts import FIRST_RELEASE
from local.application.service import (
    ApplicationService,
    ServiceChange,
    TrafficEntry,
    redirect_traffic,
    settle_service,
)
from local.cloud import Cloud
from local.services.artifact_registry.repositories import HOST
from tests.local.support.image_retention import repository_path, set_retention
from tests.local.support.rest import SHOP, Product, product_at
from tests.local.support.run import SECOND, service_path

PLACE = repository_path(SHOP.project, SHOP.region)
FIRST, SECOND_ONE = (
    names.image(SHOP.project, SHOP.region, "placeOrder", release) for release in (FIRST_RELEASE, "r2")
)


product = product_at(HOST)


@pytest.fixture
def application(cloud: Cloud) -> Application:
    return cloud.application(SHOP.system)


def revision(application: Application, index: int) -> str:
    """The name of a revision of placeOrder."""
    return application.service_of("placeOrder").revisions[index].name


def delete(product: Product, image: str) -> None:
    package, version = image.rpartition("/")[2].split("@")
    product.done("DELETE", f"{PLACE}/packages/{package}/versions/{quote(version)}")


def held(product: Product) -> set[str]:
    """The images of placeOrder."""
    found = {str(one["uri"]) for one in product.get(f"{PLACE}/dockerImages").get("dockerImages", ())}
    return found & {FIRST, SECOND_ONE}


def test_an_image_that_is_deleted(cloud: Cloud, product: Product, application: Application) -> None:
    """It is listed no more, its revision is ready all the same, and cannot be led to any more."""
    application.deploy(["placeOrder"], release="r2")
    assert held(product) == {FIRST, SECOND_ONE}

    delete(product, FIRST)

    assert held(product) == {SECOND_ONE}
    old = revision(application, 0)
    assert is_ready(cloud, old)
    assert "not found" in led_to(application, old).fault
    assert product.refused("DELETE", f"{PLACE}/packages/none/versions/none") == "NOT_FOUND"


def test_what_serves_goes_on_without_its_image(product: Product, application: Application) -> None:
    """Cloud Run has one of its own for as long as the revision serves."""
    delete(product, FIRST)

    assert led_to(application, revision(application, 0)).fault == ""


def test_images_are_deleted_as_configured(cloud: Cloud, product: Product, application: Application) -> None:
    """By the cloud's clock; what serves goes on, and nobody goes back to the others."""
    application.deploy(["placeOrder"], release="r2")
    set_retention(product, PLACE, 2 * 86400)
    assert held(product) == {FIRST, SECOND_ONE}

    cloud.clock.advance(timedelta(days=1))  # the first release was a day old at the beginning
    cloud.settle()

    assert application.service_of("placeOrder").revisions[0].image_deleted
    assert held(product) == {SECOND_ONE}
    assert "not found" in led_to(application, revision(application, 0)).fault

    cloud.clock.advance(timedelta(days=1))

    assert held(product) == set()
    assert led_to(application, revision(application, 1)).fault == ""


def test_the_newest_images_of_each_function_are_kept(
    cloud: Cloud, product: Product, application: Application
) -> None:
    """A KEEP policy outweighs the one that deletes, and a trial deletes nothing."""
    application.deploy(["placeOrder"], release="r2")
    set_retention(product, PLACE, 86400)
    newest = {"action": "KEEP", "mostRecentVersions": {"keepCount": 1}}
    policies = product.get(PLACE)["cleanupPolicies"]
    product.done(
        "PATCH", PLACE, {"cleanupPolicies": {**policies, "newest": newest}, "cleanupPolicyDryRun": True}
    )
    cloud.clock.advance(timedelta(days=30))
    assert held(product) == {FIRST, SECOND_ONE}

    product.done("PATCH", PLACE, {"cleanupPolicyDryRun": False})

    assert held(product) == {SECOND_ONE}


@pytest.mark.parametrize(
    "body",
    [
        {"format": "NPM"},
        {"cleanupPolicies": {"a": {"action": "HIDE"}}},
        {"cleanupPolicies": {"a": {"id": "b", "action": "DELETE"}}},
        {"cleanupPolicies": {"a": {"action": "DELETE", "condition": {"olderThan": "1d"}}}},
        {"cleanupPolicies": {"a": {"action": "DELETE", "condition": {"age": "1s"}}}},
        {"cleanupPolicies": {"a": {"action": "DELETE", "mostRecentVersions": {"keepCount": 1}}}},
        {"cleanupPolicies": {str(number): {"action": "DELETE"} for number in range(11)}},
    ],
)
def test_a_change_of_a_repository_that_is_refused(product: Product, body: dict[str, object]) -> None:
    """Nothing of it is kept."""
    before = product.get(PLACE)

    assert product.refused("PATCH", PLACE, body) == "INVALID_ARGUMENT"

    assert product.get(PLACE) == before


def is_ready(cloud: Cloud, revision: str) -> bool:
    """What Cloud Run says of a revision of placeOrder."""
    with grpc.insecure_channel(cloud.addresses["run"]) as channel:
        client = run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel))
        shown = client.get_revision(name=f"{service_path('placeorder')}/revisions/{revision}")
    state = run_v2.Condition.State.CONDITION_SUCCEEDED
    return any(one.type_ == "Ready" and one.state == state for one in shown.conditions)


def led_to(application: Application, revision: str) -> ApplicationService:
    """placeOrder, once all its requests were to be led to a revision."""
    now = application.now
    change = ServiceChange("change", 2, now, now + SECOND)
    service = application.service_of("placeOrder")
    return settle_service(redirect_traffic(service, (TrafficEntry(revision, 100),), change), now + SECOND)
