"""The platforms that the contracts hold for, each with a world around it that can be moved."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random

from local.application import Part
from local.application.application import LATENCY
from local.application.service import RevisionConfiguration
from local.cloud import Cloud
from local.services.identity import Account
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.monitoring.metrics import RouterMetrics
from shared.adapters.gcp.project.secret_manager import HOST as SECRETS_HOST
from shared.adapters.gcp.project.secret_manager import SecretManager
from shared.adapters.gcp.run.platform import CloudPlatform
from shared.adapters.prober import HttpProber
from shared.domain.deployments.inventory.inventory_parts import SecretUse, build_configuration
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.policy.probes import Probe, ProbeAccount
from shared.ports.platform import Metrics, Platform, Prober
from tests.contracts.support.lost_answers import lose_in_memory, lose_on_the_wire
from tests.contracts.support.shop import PROJECT, REGION, embedded_shop
from tests.support.fakes.run.platform import DEFAULT, FakePlatform
from tests.support.fakes.run.router import FakeMetrics, FakeProber
from tests.support.fakes.run.services import USUAL_SECONDS
from tests.support.fakes.runtime.clock import FakeClock

FUNCTIONS = ("placeOrder", "findBook")
PARENT = f"projects/{PROJECT}/locations/{REGION}"
ORDER_PAGE = "https://shop.example/order"
PASSWORD = "hush hush"
TEST_ACCOUNT = ProbeAccount("probe@shop.example", password_secret="password", api_key_secret="api-key")


class InMemory:
    """The fakes."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._fake = FakePlatform(self._clock, FUNCTIONS, project=PROJECT, region=REGION)
        self.platform: Platform = self._fake
        self._metrics = FakeMetrics(self._fake, self._clock)
        self.metrics: Metrics = self._metrics
        self._prober = FakeProber(self._fake, Random(1), addresses={ORDER_PAGE: "placeOrder"})
        self.prober: Prober = self._prober

    def now(self) -> datetime:
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def deploy(
        self, function: str, failure_rate: float = 0.0, *, ready: bool = True, slowdown: float = 1.0
    ) -> None:
        seconds = USUAL_SECONDS * slowdown
        self._fake.deploy([function], failure_rate=failure_rate, ready=ready, seconds=seconds)

    def configure(self, function: str, configuration: RevisionConfiguration) -> None:
        """A release with another configuration."""
        uses = (SecretUse(place, *bound.split("/")) for place, bound in configuration.secrets.items())
        plain = {"RELEASE": "r", **configuration.environment}
        configured_so = build_configuration(
            plain,
            uses,
            account=DEFAULT.account,
            min_instances=configuration.min_instances,
            max_instances=configuration.max_instances,
            concurrency=configuration.concurrency,
        )
        self._fake.plain[configured_so.variables_hash] = plain
        self._fake.deploy([function], configuration=configured_so)

    def allow(self, function: str, *members: str) -> None:
        """These alone may call the function."""
        self._fake.services()[function].invokers = members

    def lose_image(self, function: str) -> None:
        """The first revision of the function comes up no more."""
        self._fake.lose_image(function)

    def feed(self, function: str, waiting: int, *, queue: bool = False) -> None:
        """So many events, or tasks, wait for the function, and come again when it fails."""
        service = self._fake.services()[function]
        service.waiting, service.queue = waiting, queue

    def fail_late(self, function: str, error: str) -> None:
        """The next shift of the function ends in an error."""
        self._fake.fail_late(function, error)

    def limit_writes(self, quota: WriteQuota) -> None:
        self._fake.limit_writes(quota)

    def let_in(self, email: str, *, lets: bool) -> None:
        """Identity Platform takes the password of that account, or refuses whoever has it."""
        (self._prober.refused.discard if lets else self._prober.refused.add)(email)

    def fail_sign_ins(self, rate: float) -> None:
        """From now on so many of those who sign in fail to."""
        self._metrics.fail_sign_ins(rate)

    def lose_answer_of_shift(self) -> None:
        """The next shift takes effect, and its answer is lost."""
        lose_in_memory(self._fake, "platform.shift")


class OverTheWire:
    """The adapters, over gRPC and HTTP to an embedded cloud."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self._cloud = cloud
        self._clients = clients
        self.platform: Platform = CloudPlatform(
            clients.functions, clients.services, clients.revisions, PROJECT, REGION
        )
        self.metrics: Metrics = RouterMetrics(clients.monitoring, "shop", PROJECT, REGION)
        secrets = SecretManager(clients.rest(SECRETS_HOST), PROJECT)
        self.prober: Prober = HttpProber(lambda _host: cloud.addresses["control"], secrets=lambda: secrets)
        keep_secret(clients, {"password": PASSWORD, "api-key": "k"})

    def now(self) -> datetime:
        return self._cloud.clock.now()

    def advance(self, seconds: float) -> None:
        self._cloud.clock.advance(timedelta(seconds=seconds))

    def deploy(
        self, function: str, failure_rate: float = 0.0, *, ready: bool = True, slowdown: float = 1.0
    ) -> None:
        latency = LATENCY * slowdown
        self._cloud.application("shop").deploy(
            [function], release="r", failure_rate=failure_rate, starts=ready, latency=latency
        )

    def configure(self, function: str, configuration: RevisionConfiguration) -> None:
        application = self._cloud.application("shop")
        application.deploy([function], release="r", configuration=configuration)

    def allow(self, function: str, *members: str) -> None:
        self._cloud.application("shop").allow(function, members)

    def lose_image(self, function: str) -> None:
        application = self._cloud.application("shop")
        first, *_ = application.service_of(function).revisions
        application.degrade(function, first.name, starts=False)

    def feed(self, function: str, waiting: int, *, queue: bool = False) -> None:
        self._cloud.application("shop").connect_events(function, waiting, queue=queue)

    def fail_late(self, function: str, error: str) -> None:
        self._cloud.rollouts.failure = lambda name: error if name == function.lower() else ""

    def limit_writes(self, quota: WriteQuota) -> None:
        self._cloud.quota.burst = quota.burst
        self._cloud.quota.per_second = quota.per_second
        self._cloud.quota.enforced = True

    def let_in(self, email: str, *, lets: bool) -> None:
        self._cloud.identity.put(Account(email, PASSWORD, disabled=not lets))

    def fail_sign_ins(self, rate: float) -> None:
        self._cloud.application("shop").parts.change_part(Part.SIGN_INS, failure_rate=rate)

    def lose_answer_of_shift(self) -> None:
        lose_on_the_wire(self._cloud.faults, "UpdateService")


PlatformWorld = InMemory | OverTheWire
"""An application of two functions, its control planes, and time, which stands still."""


def keep_secret(clients: Clients, values: Mapping[str, str]) -> None:
    """Secrets of the embedded cloud, each with one version, as a file's last line ends."""
    rest = clients.rest(SECRETS_HOST)
    secrets = f"/v1/projects/{PROJECT}/secrets"
    for name, value in values.items():
        rest.send_change("POST", secrets, {"replication": {"automatic": {}}}, query={"secretId": name})
        data = base64.b64encode(f"{value}\n".encode()).decode()
        rest.post(f"{secrets}/{name}:addVersion", {"payload": {"data": data}}, dict)


@contextmanager
def embedded() -> Iterator[OverTheWire]:
    """A cloud of its own, in which a probe asks for `placeOrder`."""
    probe = Probe("order", ORDER_PAGE, function="placeOrder")
    with embedded_shop(*FUNCTIONS, probes=(probe,)) as (cloud, clients):
        yield OverTheWire(cloud, clients)
