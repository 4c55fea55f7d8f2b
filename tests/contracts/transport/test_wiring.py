"""Settings wire the whole world, and nothing of it before it is asked for."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from local.cloud import Cloud
from local.installation.provisioning import audit_bucket, policy_bucket
from responders.support.inventory_reader import read_inventory
from shared.adapters.clock import SystemClock
from shared.adapters.gcp.clients import Clients
from shared.core import topics
from shared.core.errors import BadConfiguration
from shared.core.store import Create
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.inventory.traffic import Scaling
from shared.domain.policy.probes import Probe
from shared.domain.policy.resources import DEFAULT_DATABASE
from shared.domain.policy.system_policy import Group, Policy
from shared.policy_files.loader import PUBLISHED_OBJECT
from shared.wiring.adapters import Wiring
from shared.wiring.settings import Settings
from tests.local.support.rest import RESOURCES
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.embedded_cloud import embedded_cloud, wired

POLICIES = {
    "shop": Policy(
        "shop",
        "shop",
        "europe-west1",
        {"all": Group(("placeOrder",))},
        {},
        {},
        resources=replace(RESOURCES, invokers=True),
    ),
    "bank": Policy("bank", "bank", "us-central1", {"all": Group(("payIn", "payOut"))}, {}, {}),
}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(*POLICIES.values(), operations_project="operations") as cloud:
        yield cloud


@pytest.fixture
def wiring(cloud: Cloud) -> Iterator[Wiring]:
    with wired(cloud, *POLICIES.values()) as wiring:
        yield wiring


def test_the_bucket_of_the_published_policies(cloud: Cloud, wiring: Wiring) -> None:
    """None where the settings name none; else that of the cloud, which nobody has written to."""
    with wired(cloud, policy_bucket=policy_bucket("operations")) as named:
        assert named.buckets.policies is not None
        assert named.buckets.policies.generation(PUBLISHED_OBJECT) == 0
    assert wiring.buckets.policies is None


def test_everything_of_an_embedded_cloud(wiring: Wiring) -> None:
    """With a local cloud in the settings every port reaches it, on its clock."""
    assert wiring.clock.now() == START
    wiring.store.commit([Create("a/b", {})])
    assert wiring.store.get("a/b").read_at >= START
    wiring.bus.publish(topics.WORK, b"{}")
    assert set(wiring.system("shop").platform.inventory()) == {"placeOrder"}
    assert set(wiring.system("bank").platform.inventory()) == {"payIn", "payOut"}
    minutes = timedelta(minutes=5)
    assert set(wiring.system("shop").metrics.requests(START - minutes, START - minutes / 5)) == {"placeorder"}
    assert wiring.system("shop").exports.find(DEFAULT_DATABASE, "gs://none/none") is None
    assert wiring.system("shop").backups.database(DEFAULT_DATABASE).earliest_at == START
    assert wiring.projects.export_buckets.list_objects(audit_bucket("operations"), "") == {}
    page = "https://us-central1-bank.cloudfunctions.net/payIn"
    assert wiring.prober.ask(Probe("pay in", page)).status == 200


def test_the_whole_inventory_of_an_embedded_cloud(wiring: Wiring) -> None:
    """Every part that a policy names is read through the wiring, and known."""
    stock = read_inventory(wiring, POLICIES["shop"])

    assert [part for part in InventoryPart if not getattr(stock, part)] == [InventoryPart.INDEXES]
    assert [part for part in InventoryPart if getattr(stock, part) is None] == []


def test_each_adapter_is_built_once(wiring: Wiring) -> None:
    """An adapter and its connection last as long as the process; a pool, one invocation."""
    assert wiring.store is wiring.store
    assert wiring.system("shop").platform is wiring.system("shop").platform
    assert wiring.system("shop").platform is not wiring.system("bank").platform
    assert wiring.system("shop").resources is wiring.system("shop").resources
    assert wiring.system("shop").resources.hosting is wiring.system("shop").resources.hosting
    with_threads, another = wiring.pool(), wiring.pool()
    assert with_threads is not another
    with_threads.close()
    another.close()


def test_a_service_of_a_system_without_a_policy(cloud: Cloud, wiring: Wiring) -> None:
    """Its full name is enough to have its instances be what they were."""
    service = wiring.system("bank").platform.inventory()["payIn"].service
    with wired(cloud, POLICIES["shop"]) as without:
        services = without.projects.services
        services.shift(service.name, service.traffic, service.etag, scaling=Scaling(1, 20))

        assert services.service(service.name).scaling == Scaling(1, 20)


def test_ids_are_never_the_same(wiring: Wiring) -> None:
    """A new id on each call."""
    assert len({wiring.ids() for _ in range(1000)}) == 1000


def test_an_emulator_beside_the_embedded_cloud(cloud: Cloud) -> None:
    """An emulator that somebody runs is used wherever its variable is set."""
    settings = Settings("operations", firestore_emulator=f"http://{cloud.addresses['firestore']}")
    wiring = Wiring(settings, POLICIES, deployed=False)

    wiring.store.commit([Create("a/b", {})])

    assert isinstance(wiring.clock, SystemClock)
    wiring.close()


def test_a_deployed_instance_with_local_wiring(cloud: Cloud) -> None:
    """An instance in the cloud talks to Google, or not at all."""
    settings = Settings("operations", local_cloud=f"http://{cloud.addresses['control']}")

    with pytest.raises(BadConfiguration):
        _ = Wiring(settings, POLICIES, deployed=True).store


@pytest.mark.parametrize(
    "address", ["10.0.0.1:80", "firestore.googleapis.com:443", "127.0.0.1", "127.0.0.1.evil.com:1"]
)
def test_a_plain_channel_to_somewhere_else(address: str) -> None:
    """Without credentials and encryption a client connects to this machine only."""
    with pytest.raises(BadConfiguration):
        Clients({"firestore": address}, deployed=False)


@pytest.mark.parametrize("address", ["127.0.0.1:80", "localhost:80", "[::1]:80"])
def test_a_plain_channel_to_this_machine(address: str) -> None:
    """Loopback has several names, and each leads to a channel that can be used."""
    clients = Clients({"firestore": address}, deployed=False)

    assert clients.firestore.transport.grpc_channel is not None
    clients.close()


def test_a_process_that_has_asked_for_nothing_yet() -> None:
    """Importing and making the wiring loads no client: they are slow to load."""
    program = (
        "import sys\n"
        "from shared.wiring.settings import Settings\n"
        "from shared.wiring.adapters import Wiring\n"
        "Wiring(Settings('operations'), {}, deployed=True)\n"
        "print({'google.api_core', 'google.auth', 'grpc', 'proto', 'httpx'} & set(sys.modules))"
    )

    ran = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )

    assert ran.stdout.strip() == "set()"
