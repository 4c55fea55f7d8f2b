"""What every Feeds keeps, in memory and over gRPC to an embedded Pub/Sub that Eventarc feeds."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from google.pubsub_v1 import types

from shared.errors import Ambiguous, Gone, Rejected
from shared.feeds import AT_ONCE, NO_PUSH, Feed, Feeds, Message, Told
from shared.gcp.channels import Clients
from shared.gcp.feeds import PubSubFeeds
from shared.versions import Version
from tests.contracts.losing import lose_in_memory, lose_on_the_wire
from tests.fakes.clock import FakeClock
from tests.fakes.documents import FakeDocuments
from tests.fakes.feeds import FakeFeeds, Subscription
from tests.local.eventarc_world import Shop, event_data, shop_within
from tests.local.pubsub_world import Endpoint

HERE = "(default)"
HOUR = timedelta(hours=1)
AT = datetime(2026, 11, 27, 12, 0, 0, 123456, UTC)
DOCUMENT = {
    "name": f"projects/shop/databases/{HERE}/documents/users/ada",
    "fields": {"n": {"integerValue": "1"}, "place": {"geoPointValue": {"latitude": 1.5}}},
    "createTime": "2026-11-27T11:00:00Z",
    "updateTime": "2026-11-27T12:00:00.123456Z",
}


class FeedsWorld(Protocol):
    """A trigger on all documents, and an application that writes some."""

    feeds: Feeds
    name: str
    """Of the trigger's subscription."""

    def write(self, documents: dict[str, dict[str, Any] | None]) -> list[Told]:
        """What is to be told of each of them."""
        ...

    def send(self, data: bytes) -> None:
        """A message comes that is no event."""
        ...

    def pushed(self) -> list[str]:
        """The paths of all that was pushed until now, once nothing is due."""
        ...

    def advance(self, span: timedelta) -> None: ...

    def lose_answer(self) -> None:
        """The next change of a push takes effect, and nobody hears of it."""
        ...


class InMemory:
    """The fakes."""

    name = "projects/shop/subscriptions/eventarc-mail"

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._fake = FakeFeeds(self._clock)
        self._fake.known[self.name] = Subscription(Feed(b"somewhere", timedelta(days=1)))
        self._documents = FakeDocuments(self._clock)
        self._documents.hears = self._hear
        self._told: list[Told] = []
        self.feeds: Feeds = self._fake

    def _hear(self, database: str, before: Version | None, after: Version | None) -> None:
        known = after or before
        assert known is not None
        self._told.append(Told(database, known.path, known.updated_at, is_gone=after is None))

    def write(self, documents: dict[str, dict[str, Any] | None]) -> list[Told]:
        self._told.clear()
        self._documents.write(HERE, documents)
        for one in self._told:
            self._fake.tell(self.name, one)
        return [*self._told]

    def send(self, data: bytes) -> None:
        self._fake.tell(self.name, None)

    def pushed(self) -> list[str]:
        self._fake.deliver()
        return [one.path for one in self._fake.known[self.name].pushed if one is not None]

    def advance(self, span: timedelta) -> None:
        self._clock.advance(span)

    def lose_answer(self) -> None:
        lose_in_memory(self._fake, "feeds.set_push")


class OverTheWire:
    """The adapter, and whoever plays the trigger's destination."""

    def __init__(self, shop: Shop, clients: Clients, endpoint: Endpoint) -> None:
        made = shop.trigger("{path=**}")
        shop.play(made, urlsplit(endpoint.url).netloc)
        self.shop = shop
        self.name: str = made["transport"]["pubsub"]["subscription"]
        self._topic = made["transport"]["pubsub"]["topic"]
        self._endpoint = endpoint
        self._pushed: list[str] = []
        self.feeds: Feeds = PubSubFeeds(clients.subscriber)

    def write(self, documents: dict[str, dict[str, Any] | None]) -> list[Told]:
        told: list[Told] = []
        for path, fields in documents.items():
            document = self.shop.database.document(path)
            if fields is None:
                before = document.get().update_time
                document.delete()
                told.append(Told(HERE, path, before, is_gone=True))
            else:
                told.append(Told(HERE, path, document.set(fields).update_time))
        return told

    def send(self, data: bytes) -> None:
        self.shop.publisher.publish(topic=self._topic, messages=[{"data": data}])

    def pushed(self) -> list[str]:
        self.shop.settle()
        while not self._endpoint.is_quiet():
            content = base64.b64decode(self._endpoint.next().body["message"]["data"])
            event = event_data(content)
            known = event.value if event.HasField("value") else event.old_value
            self._pushed.append(known.name.partition("/documents/")[2])
        return self._pushed

    def advance(self, span: timedelta) -> None:
        self.shop.cloud.clock.advance(span)

    def lose_answer(self) -> None:
        lose_on_the_wire(self.shop.cloud.faults, "ModifyPushConfig")


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    with shop_within() as shop, ExitStack() as opened:
        endpoint = opened.enter_context(Endpoint(lambda _: 204).listening())
        clients = Clients({"pubsub": shop.cloud.addresses["pubsub"]}, deployed=False)
        opened.callback(clients.close)
        yield OverTheWire(shop, clients, endpoint)


@pytest.fixture(params=["memory", "wire"])
def world(request: pytest.FixtureRequest) -> FeedsWorld:
    if request.param == "memory":
        return InMemory()
    over_the_wire: OverTheWire = request.getfixturevalue("wire")
    return over_the_wire


def pulled(world: FeedsWorld) -> list[Message]:
    """All that nobody has in hand."""
    found: list[Message] = []
    while some := world.feeds.pull(world.name):
        found += some
    return found


def by_path(messages: list[Message]) -> dict[str, Told]:
    return {one.told.path: one.told for one in messages if one.told is not None}


def test_a_change_of_a_document_is_told(world: FeedsWorld) -> None:
    """Made, changed and removed: its path, and the time of the write or of what was removed."""
    world.feeds.set_push(world.name, NO_PUSH)
    made = world.write({"users/ada": {"n": 1}, "users/ada/orders/7": {"n": 1}})
    changed = world.write({"users/ada": {"n": 2}})
    gone = world.write({"users/ada/orders/7": None})

    found = [one.told for one in pulled(world)]
    assert None not in found
    known = sorted((one.path, one.at, one.is_gone) for one in found if one is not None)
    assert known == sorted((one.path, one.at, one.is_gone) for one in [*made, *changed, *gone])
    assert gone[0].at == made[1].at
    assert {one.database for one in found if one is not None} == {HERE}


def test_what_is_no_event_of_a_document(world: FeedsWorld) -> None:
    """It is pulled as it is, and told of nothing."""
    world.feeds.set_push(world.name, NO_PUSH)
    for data in (b"{}", b"\xff\xff", b"\n\x00", b"\n\x02\n\x00"):
        world.send(data)
    assert [one.told for one in pulled(world)] == [None] * 4


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"value": DOCUMENT}, Told(HERE, "users/ada", AT)),
        ({"value": DOCUMENT, "oldValue": DOCUMENT, "of": 1}, Told(HERE, "users/ada", AT)),
        ({"oldValue": DOCUMENT}, Told(HERE, "users/ada", AT, is_gone=True)),
        ({"value": {**DOCUMENT, "updateTime": "noon"}}, None),
        ({"value": {"name": DOCUMENT["name"]}}, None),
        ({}, None),
    ],
)
def test_an_event_as_json(wire: OverTheWire, data: dict[str, Any], told: Told | None) -> None:
    """A trigger may want it so, of a workflow, say."""
    wire.feeds.set_push(wire.name, NO_PUSH)
    wire.send(json.dumps(data).encode())
    assert [one.told for one in pulled(wire)] == [told]


def test_nothing_is_pushed_until_it_is_given_back(world: FeedsWorld) -> None:
    """What was acknowledged never is; what was released is, and what nobody has pulled."""
    before = world.feeds.feed(world.name)
    assert before.push != NO_PUSH
    assert (before.keeps_for, before.is_dead_lettered) == (timedelta(days=1), False)
    world.write({"users/first": {"n": 1}})
    assert world.pushed() == ["users/first"]

    world.feeds.set_push(world.name, NO_PUSH)
    assert world.feeds.feed(world.name).push == NO_PUSH
    world.write({"users/ada": {"n": 1}, "users/bob": {"n": 1}})
    messages = pulled(world)
    known = {one.told.path: one.handle for one in messages if one.told is not None}
    assert world.pushed() == ["users/first"]
    world.feeds.acknowledge(world.name, [known["users/ada"]])
    world.feeds.hold(world.name, [known["users/bob"]], timedelta())
    world.write({"users/eve": {"n": 1}})
    world.feeds.set_push(world.name, before.push)

    assert world.feeds.feed(world.name) == before
    assert "users/eve" in world.pushed()
    world.advance(timedelta(seconds=10))  # what was released counts as failed once
    assert sorted(world.pushed()) == ["users/bob", "users/eve", "users/first"]


def test_what_is_held_stays_in_hand(world: FeedsWorld) -> None:
    """For as long as was said; then anybody has it."""
    world.feeds.set_push(world.name, NO_PUSH)
    world.write({"users/ada": {"n": 1}})
    [message] = pulled(world)
    world.feeds.hold(world.name, [message.handle], timedelta(minutes=5))
    world.advance(timedelta(minutes=4))
    assert pulled(world) == []
    world.advance(timedelta(minutes=2))
    found = pulled(world)
    world.advance(timedelta(minutes=1))  # it counts as failed once
    assert by_path([*found, *pulled(world)]).keys() == {"users/ada"}


def test_an_acknowledgement_that_comes_too_late(world: FeedsWorld) -> None:
    """By then nobody has the message in hand: it comes again, and holding it changes nothing."""
    world.feeds.set_push(world.name, NO_PUSH)
    world.write({"users/ada": {"n": 1}})
    [message] = pulled(world)
    world.advance(timedelta(minutes=11))
    world.feeds.hold(world.name, [message.handle], timedelta(minutes=10))
    world.feeds.acknowledge(world.name, [message.handle])
    again = pulled(world)
    world.advance(timedelta(minutes=1))  # it counts as failed once
    assert by_path([*again, *pulled(world)]).keys() == {"users/ada"}


def test_more_than_one_pull_takes(world: FeedsWorld) -> None:
    """Each message once, as long as somebody has it in hand; all of them are acknowledged."""
    world.feeds.set_push(world.name, NO_PUSH)
    for _ in range(AT_ONCE + 100):
        world.send(b"{}")
    handles = [one.handle for one in pulled(world)]
    assert len(set(handles)) == AT_ONCE + 100
    world.feeds.acknowledge(world.name, handles)
    world.advance(HOUR)
    assert pulled(world) == []


def test_a_lost_answer(world: FeedsWorld) -> None:
    """The push may be taken away; a look tells."""
    world.lose_answer()
    with pytest.raises(Ambiguous):
        world.feeds.set_push(world.name, NO_PUSH)
    assert world.feeds.feed(world.name).push == NO_PUSH


def test_a_subscription_that_is_gone(world: FeedsWorld) -> None:
    """It is Gone for whoever looks, and Rejected for whoever changes it."""
    name = f"{world.name}-2"
    with pytest.raises(Gone):
        world.feeds.feed(name)
    with pytest.raises(Rejected):
        world.feeds.set_push(name, NO_PUSH)
    with pytest.raises(Rejected):
        world.feeds.pull(name)


@pytest.mark.parametrize(
    "push",
    [
        types.PushConfig(push_endpoint="https://mail.example/?a=b&c='d e'"),
        types.PushConfig(
            push_endpoint="https://mail.example",
            oidc_token={"service_account_email": "mail@shop.example", "audience": "mail"},
        ),
        types.PushConfig(
            push_endpoint="https://mail.example",
            oidc_token={"service_account_email": "mail@shop.example"},
            no_wrapper={"write_metadata": True},
        ),
        types.PushConfig(push_endpoint="https://mail.example", no_wrapper={}),
    ],
)
def test_how_a_person_gives_a_push_back(push: types.PushConfig) -> None:
    """By flags of gcloud that say all of it."""
    feed = PubSubFeeds(Answering(push)).feed("s")
    said = dict(one.removeprefix("--").split("=", 1) for one in given_to_gcloud(feed.by_hand))
    made = types.PushConfig(push_endpoint=said.pop("push-endpoint"))
    if account := said.pop("push-auth-service-account", ""):
        audience = said.pop("push-auth-token-audience", "")
        made.oidc_token = {"service_account_email": account, "audience": audience}
    if said.pop("push-no-wrapper", ""):
        made.no_wrapper = {"write_metadata": bool(said.pop("push-no-wrapper-write-metadata", ""))}
    assert not said
    assert types.PushConfig.pb(made).SerializeToString(deterministic=True) == feed.push


class Answering:
    """A client of whatever subscription: the embedded cloud pushes to loopback alone."""

    def __init__(self, push: types.PushConfig) -> None:
        self._push = push

    def get_subscription(self, *_: Any, **__: Any) -> types.Subscription:
        return types.Subscription(push_config=self._push)


def given_to_gcloud(flags: str) -> list[str]:
    """As a shell parts them; one without a value is true."""
    return [one if "=" in one else f"{one}=true" for one in shlex.split(flags)]


def test_a_subscription_with_a_dead_letter_policy(wire: OverTheWire) -> None:
    """It says so."""
    topic = "projects/shop/topics/dead"
    wire.shop.publisher.create_topic(name=topic)
    wire.shop.subscriber.update_subscription(
        {
            "subscription": {"name": wire.name, "dead_letter_policy": {"dead_letter_topic": topic}},
            "update_mask": {"paths": ["dead_letter_policy"]},
        }
    )
    assert wire.feeds.feed(wire.name).is_dead_lettered
