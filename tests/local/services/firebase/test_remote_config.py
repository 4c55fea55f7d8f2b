"""Firebase Remote Config as the embedded cloud plays it."""

from typing import Any

import pytest

from local.services.firebase.remote_config import HOST
from tests.local.support.rest import Product, product_at

TEMPLATE = "/v1/projects/shop/remoteConfig"


config = product_at(HOST)


def publish(config: Product, value: str, etag: str = "*", more: str = "") -> Any:
    template = {"parameters": {"colour": {"defaultValue": {"value": value}}}}
    return config.done("PUT", f"{TEMPLATE}{more}", template, {"If-Match": etag})


def etag(config: Product) -> str:
    return config.ask("GET", TEMPLATE).headers["etag"]


def test_a_template_comes_with_its_etag(config: Product) -> None:
    """Each publication is a version of its own, with another etag."""
    first = etag(config)
    published = publish(config, "red", first)

    assert published["version"]["versionNumber"] == "2"
    assert config.get(TEMPLATE) == published
    assert etag(config) != first
    assert config.get(f"{TEMPLATE}?versionNumber=1")["parameters"] == {}


def test_a_publication_on_a_stale_etag(config: Product) -> None:
    """What somebody else has published meanwhile is not overwritten."""
    stale = etag(config)
    publish(config, "red", stale)
    before = config.get(TEMPLATE)

    refused = config.refused("PUT", TEMPLATE, {"parameters": {}}, {"If-Match": stale})

    assert refused == "FAILED_PRECONDITION"
    assert config.refused("PUT", TEMPLATE, {"parameters": {}}) == "INVALID_ARGUMENT"
    assert config.get(TEMPLATE) == before


def test_a_publication_that_is_only_validated(config: Product) -> None:
    """A dry run changes nothing."""
    before = config.get(TEMPLATE)

    publish(config, "red", etag(config), "?validateOnly=true")

    assert config.get(TEMPLATE) == before


def test_a_rollback(config: Product) -> None:
    """An older template is published again, as a new version that names its source."""
    publish(config, "red")
    publish(config, "blue")

    config.done("POST", f"{TEMPLATE}:rollback", {"versionNumber": "2"})

    now = config.get(TEMPLATE)
    assert now["parameters"]["colour"]["defaultValue"]["value"] == "red"
    assert now["version"]["updateType"] == "ROLLBACK"
    assert now["version"]["rollbackSource"] == "2"
    versions = config.get(f"{TEMPLATE}:listVersions")["versions"]
    assert [one["versionNumber"] for one in versions] == ["4", "3", "2", "1"]


@pytest.mark.parametrize(("number", "status"), [("9", "NOT_FOUND"), ("1", "INVALID_ARGUMENT")])
def test_a_rollback_to_nowhere(config: Product, number: str, status: str) -> None:
    """A version that is not there, or is current, is no way back."""
    path = f"{TEMPLATE}:rollback"

    assert config.refused("POST", path, {"versionNumber": number}) == status


def test_a_version_has_the_description_that_it_was_published_with(config: Product) -> None:
    """Of a version a client says nothing else."""
    template = {"parameters": {}, "version": {"description": "winter sale"}}

    config.done("PUT", TEMPLATE, template, {"If-Match": "*"})

    assert config.get(TEMPLATE)["version"]["description"] == "winter sale"
    assert config.get(f"{TEMPLATE}:listVersions")["versions"][0]["description"] == "winter sale"


def test_a_rollback_as_firebase_tools_asks_for_it(config: Product) -> None:
    """The number is a parameter, and there is no body."""
    config.done("PUT", TEMPLATE, {"parameters": {"a": {}}}, {"If-Match": "*"})

    config.done("POST", f"{TEMPLATE}:rollback?versionNumber=1")

    assert config.get(TEMPLATE)["version"]["rollbackSource"] == "1"
