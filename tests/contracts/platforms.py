"""The platforms that the contracts hold for, each with a world around it that can be moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

import grpc

from local.application.service import Configuration as Given
from local.clock import CloudClock
from local.cloud import Cloud
from local.faults import Moment
from local.wire import Refused
from shared.errors import Ambiguous
from shared.gcp.channels import Clients
from shared.gcp.metrics import RouterMetrics
from shared.gcp.platform import CloudPlatform
from shared.inventory import SecretUse, configured
from shared.policy import Group, Policy, Probe, WriteQuota
from shared.ports import Metrics, Platform, Prober
from shared.prober import HttpProber
from tests.fakes.clock import START, FakeClock
from tests.fakes.hooks import no_hook
from tests.fakes.platform import DEFAULT, FakePlatform
from tests.fakes.router import FakeMetrics, FakeProber

FUNCTIONS = ("placeOrder", "findBook")
PROJECT, REGION = "shop", "europe-west1"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
ORDER_PAGE = "https://shop.example/order"


class PlatformWorld(Protocol):
    """An application of two functions, its control planes, and time, which stands still."""

    platform: Platform
    metrics: Metrics
    prober: Prober

    def now(self) -> datetime: ...

    def advance(self, seconds: float) -> None: ...

    def deploy(self, function: str, failure_rate: float = 0.0, *, ready: bool = True) -> None: ...

    def configure(self, function: str, configuration: Given) -> None:
        """A release with another configuration."""
        ...

    def fail_late(self, function: str, error: str) -> None:
        """The next shift of the function ends in an error."""
        ...

    def limit_writes(self, quota: WriteQuota) -> None: ...

    def lose_answer_of_shift(self) -> None:
        """The next shift takes effect, and its answer is lost."""
        ...


class InMemory:
    """The fakes."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._fake = FakePlatform(self._clock, FUNCTIONS, project=PROJECT, region=REGION)
        self.platform: Platform = self._fake
        self.metrics: Metrics = FakeMetrics(self._fake, self._clock)
        self.prober: Prober = FakeProber(
            self._fake, Random(1), addresses={ORDER_PAGE: "placeOrder"}
        )

    def now(self) -> datetime:
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def deploy(self, function: str, failure_rate: float = 0.0, *, ready: bool = True) -> None:
        self._fake.deploy([function], failure_rate=failure_rate, ready=ready)

    def configure(self, function: str, configuration: Given) -> None:
        uses = (
            SecretUse(place, *bound.split("/")) for place, bound in configuration.secrets.items()
        )
        configured_so = configured(
            {"RELEASE": "r", **configuration.environment},
            uses,
            account=DEFAULT.account,
            min_instances=configuration.min_instances,
            max_instances=configuration.max_instances,
            concurrency=configuration.concurrency,
        )
        self._fake.deploy([function], configuration=configured_so)

    def fail_late(self, function: str, error: str) -> None:
        self._fake.fail_late(function, error)

    def limit_writes(self, quota: WriteQuota) -> None:
        self._fake.limit_writes(quota)

    def lose_answer_of_shift(self) -> None:
        def hook(verb: str, side: str) -> None:
            if (verb, side) == ("platform.shift", "after"):
                self._fake.hook = no_hook
                raise Ambiguous("the answer was lost")

        self._fake.hook = hook


class OverTheWire:
    """The adapters, over gRPC and HTTP to an embedded cloud."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self._cloud = cloud
        self.platform: Platform = CloudPlatform(
            clients.functions, clients.services, clients.revisions, PROJECT, REGION
        )
        self.metrics: Metrics = RouterMetrics(clients.monitoring, PROJECT, REGION)
        self.prober: Prober = HttpProber(lambda _host: cloud.addresses["control"])

    def now(self) -> datetime:
        return self._cloud.clock.now()

    def advance(self, seconds: float) -> None:
        self._cloud.clock.advance(timedelta(seconds=seconds))

    def deploy(self, function: str, failure_rate: float = 0.0, *, ready: bool = True) -> None:
        self._cloud.application("shop").deploy(
            [function], release="r", failure_rate=failure_rate, starts=ready
        )

    def configure(self, function: str, configuration: Given) -> None:
        application = self._cloud.application("shop")
        application.deploy([function], release="r", configuration=configuration)

    def fail_late(self, function: str, error: str) -> None:
        self._cloud.rollouts.failure = lambda name: error if name == function.lower() else ""

    def limit_writes(self, quota: WriteQuota) -> None:
        self._cloud.quota.burst = quota.burst
        self._cloud.quota.per_second = quota.per_second
        self._cloud.quota.enforced = True

    def lose_answer_of_shift(self) -> None:
        def hook(call: str, moment: Moment) -> None:
            if (call, moment) == ("google.cloud.run.v2.Services/UpdateService", Moment.AFTER):
                self._cloud.faults.remove(hook)
                raise Refused(grpc.StatusCode.UNAVAILABLE, "the answer was lost")

        self._cloud.faults.add(hook)


@contextmanager
def embedded() -> Iterator[OverTheWire]:
    """A cloud of its own, at the fake clock's start, standing still."""
    policy = Policy(
        system="shop",
        project=PROJECT,
        region=REGION,
        groups={"all": Group(FUNCTIONS)},
        signals={},
        scenarios={},
        probes=(Probe("order", ORDER_PAGE, function="placeOrder"),),
    )
    clock = CloudClock(START, scale=0)
    cloud = Cloud.start([policy], seed=1, clock=clock, alerter=False, ticks=False)
    clients = Clients(cloud.addresses, deployed=False)
    yield OverTheWire(cloud, clients)
    clients.close()
    cloud.stop()
