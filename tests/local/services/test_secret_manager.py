"""Versions of secrets as the embedded cloud plays them."""

from typing import Any

import pytest

from local.services.secret_manager.secrets import HOST
from tests.local.support.rest import Product, product_at

SECRET = "/v1/projects/shop/secrets/PAYMENT_KEY"


secrets = product_at(HOST)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"data": ""},
        {"data": "%%%"},
        {"data": "aGV5", "dataCrc32c": "1"},
        {"data": "aGV5", "foo": 1},
        {"data": "A" * 90_000},
    ],
)
def test_a_payload_that_cannot_be(secrets: Product, payload: dict[str, Any]) -> None:
    """Empty, no base64, of another checksum, or too large: no version is made of it."""
    assert secrets.refused("POST", f"{SECRET}:addVersion", {"payload": payload}) == "INVALID_ARGUMENT"
    assert secrets.refused("POST", f"{SECRET}:addVersion", {}) == "INVALID_ARGUMENT"
    assert len(secrets.get(f"{SECRET}/versions")["versions"]) == 1


def test_a_payload_is_read_with_its_checksum(secrets: Product) -> None:
    """As it was added: both forms of base64 are one."""
    secrets.done("POST", f"{SECRET}:addVersion", {"payload": {"data": "_-8", "dataCrc32c": "4020356975"}})

    read = secrets.get(f"{SECRET}/versions/latest:access")["payload"]

    assert read == {"data": "/+8=", "dataCrc32c": "4020356975"}


@pytest.mark.parametrize("verb", ["disable", "enable", "destroy"])
def test_a_version_at_another_etag_is_not_changed(secrets: Product, verb: str) -> None:
    """Its state has changed since it was read."""
    path = f"{SECRET}/versions/1"
    old = secrets.get(path)["etag"]
    now = secrets.done("POST", f"{path}:disable", {"etag": old})["etag"]

    assert secrets.refused("POST", f"{path}:{verb}", {"etag": old}) == "ABORTED"
    secrets.done("POST", f"{path}:{verb}", {"etag": now})
