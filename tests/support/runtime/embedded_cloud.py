"""An embedded cloud whose clock stands still, and the wiring of responders to it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

from local.cloud import Cloud
from local.core.clock import CloudClock
from shared.domain.policy.system_policy import Policy
from shared.wiring.adapters import Wiring
from shared.wiring.settings import Settings
from tests.support.fakes.runtime.clock import START


@contextmanager
def embedded_cloud(*policies: Policy, at: datetime = START, **options: Any) -> Iterator[Cloud]:
    """A cloud without alerts and ticks, unless an option of its start says otherwise."""
    defaults: dict[str, Any] = {"seed": 1, "clock": CloudClock(at, scale=0), "alerter": False, "ticks": False}
    cloud = Cloud.start(policies, **defaults | options)
    try:
        yield cloud
    finally:
        cloud.stop()


@contextmanager
def wired(cloud: Cloud, *policies: Policy, **settings: Any) -> Iterator[Wiring]:
    """Responders of these policies; their state lies in the cloud."""
    at = Settings(cloud.home, local_cloud=f"http://{cloud.addresses['control']}", **settings)
    with closing(Wiring(at, {policy.system: policy for policy in policies}, deployed=False)) as wiring:
        yield wiring
