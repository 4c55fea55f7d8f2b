"""What every Bus keeps, in memory and over gRPC to an embedded Pub/Sub."""

from collections.abc import Iterator

import grpc
import pytest
from google.iam.v1 import iam_policy_pb2
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local.core.clock import CloudClock
from local.core.grpc_services import serve
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.pubsub.service import PubSub
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.pubsub.publisher import PubSubBus
from shared.core.errors import Ambiguous, Rejected
from shared.ports.messaging import Bus
from tests.contracts.support.lost_answers import lose_in_memory, lose_on_the_wire
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.pubsub.bus import MemoryBus

TOPIC = "rollback-work"
SUBSCRIPTION = "projects/demo/subscriptions/all"
Message = tuple[bytes, dict[str, str]]


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self.memory = MemoryBus(topics={TOPIC})
        self.bus: Bus = self.memory

    def kept(self) -> list[Message]:
        return [(message.data, message.attributes) for message in self.memory.take(TOPIC)]

    def lose_next_answer(self) -> None:
        lose_in_memory(self.memory, "bus.publish")


class OverTheWire:
    """The adapter, and a subscriber of Google's."""

    def __init__(self, clients: Clients, subscriber: SubscriberClient, faults: FaultHooks) -> None:
        self.bus: Bus = PubSubBus(clients.publisher, "demo")
        self._subscriber = subscriber
        self._faults = faults
        topic = f"projects/demo/topics/{TOPIC}"
        clients.publisher.create_topic(name=topic)
        subscriber.create_subscription(name=SUBSCRIPTION, topic=topic)

    def kept(self) -> list[Message]:
        request = {"subscription": SUBSCRIPTION, "max_messages": 10, "return_immediately": True}
        answer = self._subscriber.pull(request)
        return [(one.message.data, dict(one.message.attributes)) for one in answer.received_messages]

    def lose_next_answer(self) -> None:
        lose_on_the_wire(self._faults, "Publish")


BusWorld = InMemory | OverTheWire
"""A bus with one topic, and what its subscriber gets."""


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    faults = FaultHooks()
    pubsub = PubSub(CloudClock(), Journal(), faults)
    services = {
        PublisherGrpcTransport: pubsub.publisher,
        SubscriberGrpcTransport: pubsub.subscriber,
        iam_policy_pb2.DESCRIPTOR.services_by_name["IAMPolicy"]: pubsub.policy,
    }
    server, address = serve(services, faults)
    clients = Clients({"pubsub": address}, deployed=False)
    with grpc.insecure_channel(address) as channel:
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        yield OverTheWire(clients, subscriber, faults)
    clients.close()
    pubsub.close()
    server.stop(grace=None).wait()


world = both_worlds(InMemory)


@pytest.mark.filterwarnings("ignore:The return_immediately flag is deprecated")
class TestPublishing:
    """Everything that is published is kept as it is."""

    def test_a_message(self, world: BusWorld) -> None:
        """Data and attributes arrive as they were."""
        world.bus.publish(TOPIC, b"\0data", {"kind": "é"})

        assert world.kept() == [(b"\0data", {"kind": "é"})]

    @pytest.mark.parametrize(
        ("data", "attributes"), [(b"{}", None), (b"", {"kind": "tick"})], ids=["data", "attributes"]
    )
    def test_a_message_of_one_part(
        self, world: BusWorld, data: bytes, attributes: dict[str, str] | None
    ) -> None:
        """Data alone will do, and so will attributes."""
        world.bus.publish(TOPIC, data, attributes)

        assert world.kept() == [(data, attributes or {})]

    @pytest.mark.parametrize("data", [b"", b"x" * 10_000_001], ids=["empty", "too large"])
    def test_a_message_that_cannot_be(self, world: BusWorld, data: bytes) -> None:
        """An empty message and one over 10 MB are Rejected."""
        with pytest.raises(Rejected):
            world.bus.publish(TOPIC, data)

        assert world.kept() == []

    def test_a_topic_that_is_not_there(self, world: BusWorld) -> None:
        """A message for nobody is Rejected, not lost in silence."""
        with pytest.raises(Rejected):
            world.bus.publish("rollback-none", b"{}")

    def test_a_message_whose_answer_is_lost(self, world: BusWorld) -> None:
        """A lost answer is Ambiguous: the message may have been kept, and here it was."""
        world.lose_next_answer()

        with pytest.raises(Ambiguous):
            world.bus.publish(TOPIC, b"{}")

        assert world.kept() == [(b"{}", {})]
