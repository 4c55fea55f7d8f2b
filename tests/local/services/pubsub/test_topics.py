"""Topics, subscriptions and access policies as resources, and what may be published."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    MethodNotImplemented,
    NotFound,
)
from google.cloud import pubsub_v1
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from tests.local.support.pubsub import DEAD_TOPIC, PATIENCE_SECONDS, SUBSCRIPTION, TOPIC, World


def test_a_topic_comes_and_goes(world: World) -> None:
    """It is there between its creation and its deletion, once."""
    world.publisher.create_topic(name=TOPIC)
    with pytest.raises(AlreadyExists):
        world.publisher.create_topic(name=TOPIC)
    assert world.publisher.get_topic(topic=TOPIC).name == TOPIC

    world.publisher.delete_topic(topic=TOPIC)

    with pytest.raises(NotFound):
        world.publisher.get_topic(topic=TOPIC)
    with pytest.raises(NotFound):
        world.publish("lost")


@pytest.mark.parametrize(
    "name",
    [
        "orders",
        "projects/acme/topics/ab",
        "projects/acme/topics/googly",
        "projects//topics/orders",
        "projects/acme/topics/1st",
        "projects/acme/subscriptions/orders",
        "projects/acme/topics/a b c",
    ],
)
def test_a_bad_topic_name(world: World, name: str) -> None:
    """Names follow the documented pattern."""
    with pytest.raises(InvalidArgument):
        world.publisher.create_topic(name=name)


def test_a_list_longer_than_a_page(world: World) -> None:
    """Every topic of the project is listed once, and none of another project."""
    names = [f"projects/acme/topics/topic-{number}" for number in range(5)]
    for name in [*names, "projects/acme-two/topics/other"]:
        world.publisher.create_topic(name=name)

    listed = world.publisher.list_topics({"project": "projects/acme", "page_size": 2})

    assert [topic.name for topic in listed] == names


def test_a_topic_is_updated(world: World) -> None:
    """The masked fields change, the others stay; fixed fields and unknown ones are refused."""
    world.publisher.create_topic({"name": TOPIC, "labels": {"team": "a"}})

    change = {"name": TOPIC, "message_retention_duration": {"seconds": 3600}}
    world.publisher.update_topic({"topic": change, "update_mask": {"paths": ["message_retention_duration"]}})

    topic = world.publisher.get_topic(topic=TOPIC)
    assert topic.message_retention_duration == timedelta(hours=1)
    assert dict(topic.labels) == {"team": "a"}
    for paths in (["name"], ["no_such_field"], []):
        with pytest.raises(InvalidArgument):
            world.publisher.update_topic({"topic": change, "update_mask": {"paths": paths}})


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{}],
        [{"ordering_key": "k"}],
        [{"data": b"x"}, {}],
        [{"data": b"x" * 10_000_001}],
        [{"data": b"x"}] * 1001,
        [{"attributes": {"": "x"}}],
        [{"attributes": {"googled": "x"}}],
        [{"attributes": {"k" * 257: "x"}}],
        [{"attributes": {"k": "x" * 1025}}],
        [{"attributes": {f"k{number}": "x" for number in range(101)}}],
        [{"data": b"x", "ordering_key": "k" * 1025}],
    ],
    ids=[
        "none",
        "empty",
        "key-only",
        "one-empty",
        "10-MB",
        "1001",
        "no-key",
        "reserved-key",
        "long-key",
        "long-value",
        "101-attributes",
        "long-ordering-key",
    ],
)
def test_messages_beyond_the_limits(world: World, messages: list[dict[str, Any]]) -> None:
    """The whole request is refused, and nothing of it is published."""
    world.create()

    with pytest.raises(InvalidArgument):
        world.publisher.publish(topic=TOPIC, messages=messages)

    assert world.pull() == []


def test_messages_at_the_limits(world: World) -> None:
    """The largest attributes are taken, and a message may be attributes alone."""
    attributes = {f"k{number}".ljust(256, "k"): "x" * 1024 for number in range(50)}
    world.create()

    world.publisher.publish(topic=TOPIC, messages=[{"attributes": attributes}])

    (received,) = world.pull()
    assert dict(received.message.attributes) == attributes


def test_the_publisher_client_batches(world: World) -> None:
    """The hand-written client gets an id for each message, all different and ascending."""
    world.create()
    client = pubsub_v1.PublisherClient(transport=PublisherGrpcTransport(channel=world.channel))

    futures = [client.publish(TOPIC, str(number).encode()) for number in range(20)]

    ids = [int(future.result(timeout=60)) for future in futures]
    assert ids == sorted(set(ids))
    assert sorted(world.pulled(), key=int) == [str(number) for number in range(20)]
    client.stop()


def test_a_subscription_takes_the_defaults(world: World) -> None:
    """What is not set is Pub/Sub's documented default."""
    world.create()

    subscription = world.subscription()

    assert subscription.ack_deadline_seconds == 10
    assert subscription.message_retention_duration == timedelta(days=7)
    assert subscription.expiration_policy.ttl == timedelta(days=31)
    assert subscription.topic == TOPIC
    assert not subscription.detached


def test_policies_take_the_defaults(world: World) -> None:
    """A retry policy backs off from 10 s to 10 min, a dead letter policy allows 5 attempts."""
    world.publisher.create_topic(name=DEAD_TOPIC)

    world.create(retry_policy={}, dead_letter_policy={"dead_letter_topic": DEAD_TOPIC})

    subscription = world.subscription()
    assert subscription.retry_policy.minimum_backoff == timedelta(seconds=10)
    assert subscription.retry_policy.maximum_backoff == timedelta(seconds=600)
    assert subscription.dead_letter_policy.max_delivery_attempts == 5


PUSH = {"push_endpoint": "http://127.0.0.1:9/"}


@pytest.mark.parametrize(
    "configuration",
    [
        {"ack_deadline_seconds": 9},
        {"ack_deadline_seconds": 601},
        {"message_retention_duration": {"seconds": 599}},
        {"message_retention_duration": {"seconds": 32 * 86400}},
        {"expiration_policy": {"ttl": {"seconds": 3600}}},
        {"retry_policy": {"minimum_backoff": {"seconds": 601}}},
        {"retry_policy": {"minimum_backoff": {"seconds": 9}, "maximum_backoff": {"seconds": 8}}},
        {"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 4}},
        {"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 101}},
        {"dead_letter_policy": {"dead_letter_topic": "orders"}},
        {"filter": "attributes.k ="},
        {"push_config": PUSH, "enable_exactly_once_delivery": True},
        {"push_config": {**PUSH, "oidc_token": {"audience": "no account"}}},
    ],
)
def test_a_subscription_beyond_the_limits(world: World, configuration: dict[str, Any]) -> None:
    """It is refused, and not there."""
    world.publisher.create_topic(name=TOPIC)

    with pytest.raises(InvalidArgument):
        world.subscribe(**configuration)

    with pytest.raises(NotFound):
        world.subscription()


@pytest.mark.parametrize(
    "configuration",
    [
        {"bigquery_config": {"table": "t"}},
        {"cloud_storage_config": {"bucket": "b"}},
        {"push_config": {**PUSH, "no_wrapper": {}}},
    ],
)
def test_what_is_not_served_here(world: World, configuration: dict[str, Any]) -> None:
    """Nothing is accepted and then silently not done."""
    world.publisher.create_topic(name=TOPIC)

    with pytest.raises(MethodNotImplemented):
        world.subscribe(**configuration)


def test_a_subscription_to_nothing(world: World) -> None:
    """The topic and the dead letter topic must be there first."""
    with pytest.raises(NotFound):
        world.subscribe()
    world.publisher.create_topic(name=TOPIC)
    with pytest.raises(NotFound):
        world.subscribe(dead_letter_policy={"dead_letter_topic": DEAD_TOPIC})


def test_a_subscription_is_updated(world: World) -> None:
    """Masked fields change, an unset one takes its default; topic and filter are fixed."""
    world.create(ack_deadline_seconds=30, labels={"team": "a"}, retry_policy={})
    change = {"ack_deadline_seconds": 60, "filter": "attributes:k"}

    updated = world.update_subscription("ack_deadline_seconds", "retry_policy", **change)

    assert updated.ack_deadline_seconds == 60
    assert "retry_policy" not in updated
    assert dict(updated.labels) == {"team": "a"}
    for path in ("filter", "topic", "enable_message_ordering"):
        with pytest.raises(InvalidArgument):
            world.update_subscription(path, **change)


def test_the_topic_of_a_subscription_is_deleted(world: World) -> None:
    """What was published before is delivered still; a new topic of the name is another one."""
    world.create()
    world.publish("old")

    world.publisher.delete_topic(topic=TOPIC)
    world.publisher.create_topic(name=TOPIC)
    world.publish("new")

    subscription = world.subscription()
    assert subscription.topic == "_deleted-topic_"
    assert world.pulled() == ["old"]


def test_a_subscription_is_detached(world: World) -> None:
    """It loses its messages and gets no more, but it is there and says so."""
    world.create()
    world.publish("lost")

    world.publisher.detach_subscription({"subscription": SUBSCRIPTION})
    world.publish("never")

    assert world.subscription().detached
    assert list(world.publisher.list_topic_subscriptions(topic=TOPIC)) == []
    with pytest.raises(FailedPrecondition):
        world.pull()


def test_a_subscription_is_deleted_while_a_pull_waits(world: World) -> None:
    """The pull ends at once, with the reason."""
    world.create()
    waiting = threading.Event()
    world.faults.add(lambda call, moment: waiting.set() if call.endswith("/Pull") else None)
    answers: list[BaseException] = []

    def pull() -> None:
        try:
            world.subscriber.pull(subscription=SUBSCRIPTION, max_messages=1)
        except NotFound as error:
            answers.append(error)

    thread = threading.Thread(target=pull)
    thread.start()
    waiting.wait(PATIENCE_SECONDS)
    world.subscriber.delete_subscription(subscription=SUBSCRIPTION)
    thread.join(PATIENCE_SECONDS)

    assert len(answers) == 1


def test_an_access_policy(world: World) -> None:
    """It is kept, and a writer who has not read the last one is refused."""
    world.create()
    for client, resource in ((world.publisher, TOPIC), (world.subscriber, SUBSCRIPTION)):
        policy = client.get_iam_policy({"resource": resource})
        assert list(policy.bindings) == []
        policy.bindings.add(role="roles/pubsub.publisher", members=["user:a@example.com"])
        kept = client.set_iam_policy({"resource": resource, "policy": policy})

        assert client.get_iam_policy({"resource": resource}) == kept
        with pytest.raises(Aborted):
            client.set_iam_policy({"resource": resource, "policy": policy})


def test_the_access_policy_of_nothing(world: World) -> None:
    """There is none."""
    with pytest.raises(NotFound):
        world.publisher.get_iam_policy({"resource": TOPIC})


def test_permissions_are_not_enforced(world: World) -> None:
    """Whoever asks has every permission."""
    world.publisher.create_topic(name=TOPIC)
    wanted = ["pubsub.topics.publish", "pubsub.topics.delete"]

    answer = world.publisher.test_iam_permissions({"resource": TOPIC, "permissions": wanted})

    assert list(answer.permissions) == wanted
