"""What every Provisions keeps, in memory and over the wire to an embedded cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local.core.clock import CloudClock
from local.core.grpc_services import serve
from local.core.journal import Journal
from local.faults.hooks import CallMoment, FaultHooks
from local.services.pubsub.service import PubSub
from local.services.storage import Buckets, StorageServer, StorageService
from responders.jobs.asset_check import check_due_assets
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.project.asset_dependencies import CloudAssetDependencies
from shared.core.codec import decode
from shared.core.errors import Rejected, RollbackError, Throttled, Unavailable
from shared.domain.data import asset_protection
from shared.domain.data.asset_protection import AssetProtectionStatus
from shared.policy_files import loader
from shared.ports.storage import AssetDependencies
from tests.contracts.support.lost_answers import refusal
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.project.provisions import FakeProvisions
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.embedded_cloud import embedded_cloud, wired

POLICIES = Path(__file__).parents[3] / "policies"
PLACES = {"EU": "multi-region", "NAM4": "dual-region", "US-CENTRAL1": "region"}
"""Location types by location."""
BUCKET = "storage.googleapis.com/buckets.get"
TOPIC = "google.pubsub.v1.Publisher/ListTopicSubscriptions"


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        fake = FakeProvisions()
        fake.buckets = {f"bucket-{place.lower()}": kind for place, kind in PLACES.items()}
        fake.topics = {"projects/demo/topics/draw-again": 1, "projects/demo/topics/unheard": 0}
        self.provisions: AssetDependencies = fake


class OverTheWire:
    """The adapter, and the services behind it."""

    def __init__(self, clients: Clients, faults: FaultHooks) -> None:
        self._faults = faults
        for topic in ("draw-again", "unheard"):
            clients.publisher.create_topic(name=f"projects/demo/topics/{topic}")
        clients.subscriber.create_subscription(
            name="projects/demo/subscriptions/artist", topic="projects/demo/topics/draw-again"
        )
        self.provisions: AssetDependencies = CloudAssetDependencies(clients.storage, clients.publisher)

    def answer(self, status: str) -> None:
        """Answer every look so from now on."""

        def hook(call: str, at: CallMoment) -> None:
            if call in (BUCKET, TOPIC) and at is CallMoment.BEFORE:
                raise refusal(status)

        self._faults.add(hook)


ProvisionsWorld = InMemory | OverTheWire
"""Topics of the project `demo`: `draw-again`, with a subscription, and `unheard`.

And a bucket in each place, named after it.
"""


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    clock, faults = CloudClock(START, scale=0), FaultHooks()
    buckets, pubsub = Buckets(clock, Journal()), PubSub(clock, Journal(), faults)
    for place in PLACES:
        buckets.create(f"bucket-{place.lower()}", location=place)
    storage = StorageServer(StorageService(buckets), faults)
    server, address = serve(
        {PublisherGrpcTransport: pubsub.publisher, SubscriberGrpcTransport: pubsub.subscriber}, faults
    )
    clients = Clients({"storage": storage.address, "pubsub": address}, deployed=False)
    yield OverTheWire(clients, faults)
    clients.close()
    server.stop(None)
    pubsub.close()
    storage.close()


world = both_worlds(InMemory)


def test_where_a_bucket_lies(world: ProvisionsWorld) -> None:
    """In one region, in two, or in a continent; or it is not there."""
    found = {name: world.provisions.location_type(f"bucket-{name.lower()}") for name in PLACES}

    assert found == PLACES
    assert world.provisions.location_type("bucket-nowhere") == ""


def test_who_listens_to_a_topic(world: ProvisionsWorld) -> None:
    """By its project and its name."""
    assert world.provisions.count_subscriptions("demo", "draw-again") == 1
    assert world.provisions.count_subscriptions("demo", "unheard") == 0
    assert world.provisions.count_subscriptions("demo", "draw-never") is None
    assert world.provisions.count_subscriptions("other", "draw-again") is None


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("UNAVAILABLE", Unavailable), ("RESOURCE_EXHAUSTED", Throttled), ("PERMISSION_DENIED", Rejected)],
)
def test_a_look_without_an_answer(wire: OverTheWire, status: str, meaning: type[RollbackError]) -> None:
    """What tells of us or of the moment is no absence."""
    wire.answer(status)

    with pytest.raises(meaning):
        wire.provisions.location_type("bucket-eu")
    with pytest.raises(meaning):
        wire.provisions.count_subscriptions("demo", "draw-again")


def test_the_assets_of_a_policy_in_an_embedded_cloud() -> None:
    """What CVPlus declares is there: seen through the real adapters, on record as it should be."""
    policy = loader.load_policy(POLICIES / "cvplus.yaml")
    with embedded_cloud(policy) as cloud, wired(cloud, policy) as wiring:
        check_due_assets(wiring, wiring.policies)
        recorded = wiring.store.get(asset_protection.assets_path(policy.system)).fields

    assert decode(AssetProtectionStatus, recorded or {}).lines == ()
