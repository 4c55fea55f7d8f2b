"""A shop with everything beside its functions, and plain HTTP to the APIs that show it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from msgspec.structs import replace

from local.cloud import Cloud
from shared.domain.policy.resources import Resources
from shared.domain.policy.system_policy import Policy
from tests.local.support.run import ORIGIN, policy
from tests.support.runtime.embedded_cloud import embedded_cloud

RESOURCES = Resources(
    hosting_sites=("shop",),
    remote_config=True,
    databases=("(default)", "orders"),
    storage_buckets=("shop.appspot.com",),
    identity=True,
    secrets="",
    schedules="",
    accounts=True,
)
SHOP = replace(policy(), resources=RESOURCES)


class Addressed(Protocol):
    """An embedded cloud, in this process or in another."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """`127.0.0.1:port` by service."""
        ...


class Product:
    """One product's API as curl would call it."""

    def __init__(self, cloud: Addressed, host: str) -> None:
        self._base = f"http://{cloud.addresses['rest']}"
        self._host = host

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Any answer."""
        return httpx.request(
            method,
            f"{self._base}{path}",
            json=body,
            headers={"Host": self._host, **(headers or {})},
            trust_env=False,
        )

    def done(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The body of an answer that must be good."""
        answer = self.ask(method, path, body, headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        """What a GET answers."""
        return self.done("GET", path)

    def refused(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> str:
        """The status of a refusal, after a look at Google's error form."""
        answer = self.ask(method, path, body, headers)
        error = answer.json()["error"]
        assert answer.status_code == error["code"]
        assert error["message"]
        return str(error["status"])


def product_at(host: str) -> Any:
    """A fixture: the product of that host in the cloud of the fixture `cloud`."""

    @pytest.fixture
    def product(cloud: Cloud) -> Product:
        return Product(cloud, host)

    return product


@contextmanager
def running(data: Path | None = None, shop: Policy = SHOP, home: str | None = None) -> Iterator[Cloud]:
    """The cloud of the shop; its clock stands still."""
    with embedded_cloud(shop, at=ORIGIN, operations_project=home, data=data) as cloud:
        yield cloud
