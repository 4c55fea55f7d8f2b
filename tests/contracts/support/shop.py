"""The embedded cloud of a shop, and Google's clients of it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from local.cloud import Cloud
from shared.adapters.gcp.clients import Clients
from shared.domain.policy.system_policy import Group, Policy
from tests.support.runtime.embedded_cloud import embedded_cloud

PROJECT, REGION = "shop", "europe-west1"


@contextmanager
def embedded_shop(*functions: str, **more: Any) -> Iterator[tuple[Cloud, Clients]]:
    """A cloud of its own, at the fake clock's start, standing still."""
    policy = Policy("shop", PROJECT, REGION, {"all": Group(functions)}, {}, {}, **more)
    with embedded_cloud(policy) as cloud, closing(Clients(cloud.addresses, deployed=False)) as clients:
        yield cloud, clients
