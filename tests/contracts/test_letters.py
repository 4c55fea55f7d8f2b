"""What every Letters keeps, in memory and over gRPC to an embedded Pub/Sub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest
from google.pubsub_v1 import types
from msgspec.structs import replace

from local import delivery
from local.clock import CloudClock
from local.cloud import Cloud
from local.provisions import INSIDE
from shared import topics
from shared.errors import Rejected
from shared.gcp.channels import Clients
from shared.gcp.letters import PubSubLetters
from shared.messages import Letter, Letters
from tests.contracts.letters import SHOP, pulled
from tests.fakes.letters import MemoryLetters

ALERTS = f"projects/shop-prod/topics/{topics.ALERTS}"
REFUSED = Letter("41", "", ALERTS, "neither open nor closed", b'{"a":1}', {"kind": "\u00e9"})


class LettersWorld(Protocol):
    """Dead letters, and the topic that they came from."""

    letters: Letters

    def refuse(self, letter: Letter) -> None: ...

    def republished(self) -> list[tuple[bytes, dict[str, str]]]: ...


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self.memory = MemoryLetters({ALERTS})
        self.letters: Letters = self.memory

    def refuse(self, letter: Letter) -> None:
        self.memory.keep(letter)

    def republished(self) -> list[tuple[bytes, dict[str, str]]]:
        return [(one.data, one.attributes) for one in self.memory.resent]


class OverTheWire:
    """The adapter, and a subscription of the topic."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self.letters: Letters = PubSubLetters(clients.subscriber, clients.publisher, "shop-prod")
        self._cloud = cloud
        self._seen = "projects/shop-prod/subscriptions/seen"
        seen = types.Subscription.pb()(name=self._seen, topic=ALERTS)
        cloud.pubsub.subscriber.CreateSubscription(seen, INSIDE)

    def refuse(self, letter: Letter) -> None:
        """As the responders dead-letter a message."""
        said = {"source_topic": letter.source, "message_id": letter.id, "reason": letter.reason}
        request = types.PublishRequest.pb()(
            topic=f"projects/shop-prod/topics/{topics.DEAD_LETTERS}"
        )
        request.messages.add(data=letter.data, attributes={**letter.attributes, **said})
        self._cloud.pubsub.publisher.Publish(request, INSIDE)

    def republished(self) -> list[tuple[bytes, dict[str, str]]]:
        return [(one.data, dict(one.attributes)) for one in pulled(self._cloud, self._seen)]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud.start([SHOP], seed=1, clock=CloudClock(scale=20.0), alerter=False, ticks=False)
    delivery.keep_letters(cloud)
    yield cloud
    cloud.stop()


@pytest.fixture(params=["memory", "wire"])
def world(request: pytest.FixtureRequest) -> Iterator[LettersWorld]:
    if request.param == "memory":
        yield InMemory()
        return
    cloud: Cloud = request.getfixturevalue("cloud")
    clients = Clients({"pubsub": cloud.addresses["pubsub"]}, deployed=False)
    yield OverTheWire(cloud, clients)
    clients.close()


def test_a_letter_says_what_it_was(world: LettersWorld) -> None:
    """Id, source, reason, data and attributes are those of the message."""
    world.refuse(REFUSED)

    [letter] = world.letters.pull(10)

    assert letter.handle
    assert replace(letter, handle="") == REFUSED


def test_a_letter_in_hand_is_not_pulled_again_until_it_is_put_back(world: LettersWorld) -> None:
    """Nobody else gets it meanwhile; nothing but an acknowledgement takes it away."""
    world.refuse(REFUSED)
    world.refuse(replace(REFUSED, id="42"))
    first = world.letters.pull(1)
    second = world.letters.pull(10)

    world.letters.put_back(first)
    world.letters.put_back([])

    assert len(first) == len(second) == 1
    assert [one.id for one in world.letters.pull(10)] == [first[0].id]


def test_an_acknowledged_letter_is_gone(world: LettersWorld) -> None:
    """It is kept no longer, even when it is put back."""
    world.refuse(REFUSED)
    [letter] = world.letters.pull(10)

    world.letters.acknowledge(letter)
    world.letters.put_back([letter])
    world.refuse(replace(REFUSED, id="42"))

    assert [one.id for one in world.letters.pull(10)] == ["42"]


def test_a_letter_that_is_sent_again(world: LettersWorld) -> None:
    """It is on its topic with its own data and attributes, and is still kept."""
    world.refuse(REFUSED)
    [letter] = world.letters.pull(10)

    world.letters.resend(letter)
    world.letters.put_back([letter])

    assert world.republished() == [(REFUSED.data, REFUSED.attributes)]
    assert len(world.letters.pull(10)) == 1


def test_a_letter_for_nobody(world: LettersWorld) -> None:
    """A topic that is not there is Rejected."""
    with pytest.raises(Rejected):
        world.letters.resend(replace(REFUSED, source="projects/shop-prod/topics/gone"))


def test_a_message_that_pubsub_gave_up(cloud: Cloud) -> None:
    """Its topic is that of the subscription that could not deliver it."""
    clients = Clients({"pubsub": cloud.addresses["pubsub"]}, deployed=False)
    world = OverTheWire(cloud, clients)
    native = {
        "CloudPubSubDeadLetterSourceSubscription": "seen",
        "CloudPubSubDeadLetterSourceSubscriptionProject": "shop-prod",
        "CloudPubSubDeadLetterSourceDeliveryCount": "100",
    }
    request = types.PublishRequest.pb()(topic=f"projects/shop-prod/topics/{topics.DEAD_LETTERS}")
    request.messages.add(data=b"{}", attributes={**native, "kind": "x"})
    request.messages.add(
        data=b"{}", attributes={**native, "CloudPubSubDeadLetterSourceSubscription": "gone"}
    )
    cloud.pubsub.publisher.Publish(request, INSIDE)

    letters = world.letters.pull(10)
    clients.close()

    assert [one.source for one in letters] == [ALERTS, ""]
    assert letters[0].reason == "Pub/Sub gave it up after 100 deliveries"
    assert letters[0].attributes == {"kind": "x"}
