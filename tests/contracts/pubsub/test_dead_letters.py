"""What every Letters keeps, in memory and over gRPC to an embedded Pub/Sub."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.pubsub_v1 import types
from msgspec.structs import replace

from local.cloud import Cloud
from local.core.clock import CloudClock
from local.installation import push_subscriptions
from local.installation.provisioning import NO_CALL_CONTEXT
from responders.support.dead_letters import MAX_DEAD_LETTER_BYTES
from shared.adapters.gcp.clients import Clients
from shared.adapters.gcp.pubsub.dead_letters import PubSubDeadLetters
from shared.core import topics
from shared.core.errors import Rejected
from shared.ports.messaging import DeadLetter, DeadLetters
from tests.contracts.support.subscriptions import SHOP, pulled
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.pubsub.dead_letters import MemoryLetters
from tests.support.runtime.embedded_cloud import embedded_cloud

ALERTS = f"projects/shop-prod/topics/{topics.ALERTS}"
SAID_AT = datetime(2026, 3, 2, 12, 0, 5, 250000, tzinfo=UTC)
REFUSED = DeadLetter(
    "41",
    "",
    ALERTS,
    "neither open nor closed",
    b'{"a":1}',
    {"replayed_from": "7", "first_published_at": SAID_AT.isoformat()},
    SAID_AT,
)
NATIVE = {
    "CloudPubSubDeadLetterSourceSubscription": "seen",
    "CloudPubSubDeadLetterSourceSubscriptionProject": "shop-prod",
    "CloudPubSubDeadLetterSourceDeliveryCount": "100",
    "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-03-02T12:00:05.250+00:00",
}
"""What Pub/Sub adds to a message that it gives up."""


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self.memory = MemoryLetters({ALERTS})
        self.letters: DeadLetters = self.memory

    def refuse(self, letter: DeadLetter) -> None:
        self.memory.keep(letter)

    def republished(self) -> list[tuple[bytes, dict[str, str]]]:
        return [(one.data, one.attributes) for one in self.memory.resent]

    def lapse(self) -> None:
        self.memory.lapse()


class OverTheWire:
    """The adapter, and a subscription of the topic."""

    def __init__(self, cloud: Cloud, clients: Clients) -> None:
        self.letters: DeadLetters = PubSubDeadLetters(clients.subscriber, clients.publisher, "shop-prod")
        self._cloud = cloud
        self._seen = "projects/shop-prod/subscriptions/seen"
        seen = types.Subscription.pb()(name=self._seen, topic=ALERTS)
        cloud.pubsub.subscriber.CreateSubscription(seen, NO_CALL_CONTEXT)

    def refuse(self, letter: DeadLetter) -> None:
        """As the responders dead-letter a message."""
        said = {"source_topic": letter.source, "message_id": letter.id, "reason": letter.reason}
        self.keep(letter.data, {**letter.attributes, **said})

    def keep(self, data: bytes, attributes: dict[str, str]) -> None:
        """A dead letter, whoever made it one."""
        request = types.PublishRequest.pb()(topic=f"projects/shop-prod/topics/{topics.DEAD_LETTERS}")
        request.messages.add(data=data, attributes=attributes)
        self._cloud.pubsub.publisher.Publish(request, NO_CALL_CONTEXT)

    def now(self) -> datetime:
        return self._cloud.clock.now()

    def republished(self) -> list[tuple[bytes, dict[str, str]]]:
        return [(one.data, dict(one.attributes)) for one in pulled(self._cloud, self._seen)]

    def lapse(self) -> None:
        self._cloud.clock.advance(topics.ACK_DEADLINE)


LettersWorld = InMemory | OverTheWire
"""Dead letters, and the topic that they came from."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(SHOP, clock=CloudClock(scale=20.0)) as cloud:
        push_subscriptions.create_dead_letter_subscription(cloud)
        yield cloud


@pytest.fixture
def wire(cloud: Cloud) -> Iterator[OverTheWire]:
    clients = Clients({"pubsub": cloud.addresses["pubsub"]}, deployed=False)
    yield OverTheWire(cloud, clients)
    clients.close()


world = both_worlds(InMemory)


def refused(world: LettersWorld, **changes: Any) -> DeadLetter:
    """`REFUSED`, but for these changes, as it is pulled."""
    world.refuse(replace(REFUSED, **changes))
    [letter] = world.letters.pull(10)
    return letter


def test_a_letter_says_what_it_was(world: LettersWorld) -> None:
    """Id, age, source, reason, data and attributes are those of the message."""
    letter = refused(world)

    assert letter.handle
    assert replace(letter, handle="") == REFUSED


def test_a_letter_in_hand_is_not_pulled_again_until_it_is_put_back(world: LettersWorld) -> None:
    """Nobody else gets it meanwhile; nothing but an acknowledgement takes it away."""
    world.refuse(REFUSED)
    world.refuse(replace(REFUSED, id="42"))
    first = world.letters.pull(1)
    second = world.letters.pull(10)

    world.letters.release(first)
    world.letters.release([])

    assert len(first) == len(second) == 1
    assert [one.id for one in world.letters.pull(10)] == [first[0].id]


def test_an_acknowledged_letter_is_gone(world: LettersWorld) -> None:
    """It is kept no longer, even when it is put back."""
    letter = refused(world)

    world.letters.acknowledge(letter)
    world.letters.release([letter])
    world.refuse(replace(REFUSED, id="42"))

    assert [one.id for one in world.letters.pull(10)] == ["42"]


def test_a_letter_that_is_too_long_in_hand(world: LettersWorld) -> None:
    """It is anybody's again, by another handle; the old one counts for nothing any more."""
    first = refused(world)

    world.lapse()
    world.letters.acknowledge(first)
    [again] = world.letters.pull(10)
    world.letters.release([first])

    assert (again.id, again.handle != first.handle) == (first.id, True)
    assert world.letters.pull(10) == []


def test_more_letters_are_put_back_than_one_request_holds(world: LettersWorld) -> None:
    """With handles as long as the real ones all of them are."""
    world.refuse(REFUSED)
    in_hand = world.letters.pull(10)
    others = [replace(REFUSED, handle=f"0-{number:0190}") for number in range(3000)]

    world.letters.release([*others, *in_hand])

    assert len(world.letters.pull(10)) == 1


def test_a_letter_that_is_sent_again(world: LettersWorld) -> None:
    """It is on its topic with its own data and attributes, and is still kept."""
    letter = refused(world)

    world.letters.resend(letter)
    world.letters.release([letter])

    assert world.republished() == [(REFUSED.data, REFUSED.attributes)]
    assert len(world.letters.pull(10)) == 1


def test_the_largest_letter(world: LettersWorld) -> None:
    """It is pulled and sent as any other; one that leaves no room for more is Rejected."""
    letter = refused(world, data=b"x" * MAX_DEAD_LETTER_BYTES)

    world.letters.resend(letter)

    assert [len(data) for data, _ in world.republished()] == [MAX_DEAD_LETTER_BYTES]
    with pytest.raises(Rejected):
        world.letters.resend(replace(letter, data=b"x" * 10_000_000))


def test_a_letter_for_nobody(world: LettersWorld) -> None:
    """A topic that is not there is Rejected."""
    with pytest.raises(Rejected):
        world.letters.resend(replace(REFUSED, source="projects/shop-prod/topics/gone"))


def test_a_message_that_pubsub_gave_up(wire: OverTheWire) -> None:
    """Its topic is that of the subscription that could not deliver it, its age that of then."""
    wire.keep(b"{}", {**NATIVE, "kind": "x"})
    wire.keep(b"{}", {**NATIVE, "CloudPubSubDeadLetterSourceSubscription": "gone"})

    letters = wire.letters.pull(10)

    assert [one.source for one in letters] == [ALERTS, ""]
    assert letters[0].reason == "Pub/Sub gave it up after 100 deliveries"
    assert letters[0].attributes == {"kind": "x"}
    assert letters[0].published_at == SAID_AT


def test_a_given_up_message_whose_publisher_wrote_where_it_is_to_go(wire: OverTheWire) -> None:
    """What the responders alone say of a letter is, from anybody else, an attribute like another.

    Else whoever may publish an alert had a letter keeper give an order for them.
    """
    order = f"projects/shop-prod/topics/{topics.OVERRIDE}"
    forged = {"source_topic": order, "message_id": "forged", "reason": "no such policy"}
    wire.keep(b"{}", {**NATIVE, **forged})

    [letter] = wire.letters.pull(10)

    assert letter.source == ALERTS
    assert letter.id != "forged"
    assert letter.reason == "Pub/Sub gave it up after 100 deliveries"
    assert letter.attributes == forged


@pytest.mark.parametrize("said", [{}, {"first_published_at": "9999-01-01T00:00:00Z"}])
def test_a_letter_that_does_not_say_its_age(wire: OverTheWire, said: dict[str, str]) -> None:
    """It is as old as the letter itself, and never younger."""
    wire.keep(b"{}", {"source_topic": ALERTS, "message_id": "1", "reason": "x", **said})

    [letter] = wire.letters.pull(10)

    assert timedelta(0) <= wire.now() - letter.published_at < timedelta(minutes=10)
