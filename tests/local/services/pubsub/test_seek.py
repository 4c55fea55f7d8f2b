"""Seeking a subscription to a time or a snapshot."""

from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound

from tests.local.support.pubsub import ORIGIN, SUBSCRIPTION, TOPIC, World

SNAPSHOT = "projects/acme/snapshots/before"
OTHER = "projects/acme/subscriptions/other"


def snapshot(world: World, **labels: str) -> Any:
    return world.subscriber.create_snapshot(
        {"name": SNAPSHOT, "subscription": SUBSCRIPTION, "labels": labels}
    )


def seek(world: World, subscription: str = SUBSCRIPTION, **target: Any) -> None:
    world.subscriber.seek({"subscription": subscription, **target})


def test_back_to_a_time(world: World) -> None:
    """What was published since comes again, where acknowledged messages are retained."""
    world.create(retain_acked_messages=True)
    world.publish("old")
    world.advance(minutes=1)
    world.publish_acknowledged("new")

    seek(world, time=ORIGIN + timedelta(minutes=1))

    assert world.pulled() == ["new"]


def test_back_to_a_time_by_the_topic_s_retention(world: World) -> None:
    """A topic that retains messages lets its subscriptions seek, and says so in each."""
    world.publisher.create_topic({"name": TOPIC, "message_retention_duration": {"seconds": 3600}})
    world.subscribe()
    world.publish_acknowledged("a")

    seek(world, time=ORIGIN)

    subscription = world.subscription()
    assert subscription.topic_message_retention_duration == timedelta(hours=1)
    assert world.pulled() == ["a"]


def test_back_to_a_time_without_retention(world: World) -> None:
    """What was acknowledged is gone."""
    world.create()
    world.publish_acknowledged("a")

    seek(world, time=ORIGIN)

    assert world.pull() == []


def test_retained_messages_age(world: World) -> None:
    """They can be sought to for as long as the subscription retains them."""
    world.create(retain_acked_messages=True, message_retention_duration={"seconds": 600})
    world.publish_acknowledged("a")
    world.advance(minutes=11)

    seek(world, time=ORIGIN)

    assert world.pull() == []


def test_forward_to_a_time(world: World) -> None:
    """Everything before is acknowledged, leased or not: the backlog is purged."""
    world.create()
    world.publish("leased", "waiting")
    leased = world.pull(most=1)

    seek(world, time=ORIGIN + timedelta(hours=1))
    world.modify(0, *leased)
    world.advance(hours=1)

    assert world.pull() == []


def test_to_a_snapshot(world: World) -> None:
    """Unacknowledged then, or published since: that comes, and nothing else."""
    world.create()
    world.publish("done", "open")
    world.ack(*world.pull(most=1))
    snapshot(world)
    world.publish("since")
    world.advance(seconds=10)
    world.ack(*world.pull())

    seek(world, snapshot=SNAPSHOT)

    assert world.pulled() == ["open", "since"]


def test_another_subscription_to_a_snapshot(world: World) -> None:
    """Any of the topic may be sought to it and gets what it wants; one of another topic may not."""
    world.create()
    world.publish("a")
    snapshot(world)
    world.subscribe(OTHER)
    world.publisher.create_topic(name="projects/acme/topics/foreign")
    world.subscribe("projects/acme/subscriptions/foreign", "projects/acme/topics/foreign")

    seek(world, OTHER, snapshot=SNAPSHOT)

    assert world.pulled(OTHER) == ["a"]
    picky = "projects/acme/subscriptions/picky"
    world.subscribe(picky, filter="attributes:k")
    seek(world, picky, snapshot=SNAPSHOT)
    assert world.pull(picky) == []
    with pytest.raises(InvalidArgument):
        seek(world, "projects/acme/subscriptions/foreign", snapshot=SNAPSHOT)


def test_ordered_messages_after_a_seek(world: World) -> None:
    """They come in order again, from the first that is wanted."""
    world.create(enable_message_ordering=True, retain_acked_messages=True)
    world.publish("1", "2", key="k")
    world.advance(seconds=1)
    world.publish("3", key="k")
    world.ack(*world.pull())

    seek(world, time=ORIGIN)

    assert world.pulled() == ["1", "2", "3"]


def test_a_snapshot_comes_and_goes(world: World) -> None:
    """It lives a week from its oldest message, is listed, changed and deleted."""
    world.create()
    world.publish("a")
    world.advance(days=1)

    made = snapshot(world, team="a")

    assert made.topic == TOPIC
    assert made.expire_time == ORIGIN + timedelta(days=7)
    assert world.subscriber.get_snapshot(snapshot=SNAPSHOT) == made
    assert list(world.subscriber.list_snapshots(project="projects/acme")) == [made]
    assert list(world.publisher.list_topic_snapshots(topic=TOPIC)) == [SNAPSHOT]
    with pytest.raises(AlreadyExists):
        snapshot(world)
    change = {"name": SNAPSHOT, "labels": {"team": "b"}}
    changed = world.subscriber.update_snapshot({"snapshot": change, "update_mask": {"paths": ["labels"]}})
    assert dict(changed.labels) == {"team": "b"}
    world.subscriber.delete_snapshot(snapshot=SNAPSHOT)
    with pytest.raises(NotFound):
        seek(world, snapshot=SNAPSHOT)


def test_a_snapshot_expires(world: World) -> None:
    """After its time it is not there."""
    world.create()
    snapshot(world)

    world.advance(days=7)

    with pytest.raises(NotFound):
        world.subscriber.get_snapshot(snapshot=SNAPSHOT)


def test_a_snapshot_that_would_hardly_live(world: World) -> None:
    """It is refused when its oldest message is almost a week old."""
    world.create(message_retention_duration={"seconds": 30 * 86400})
    world.publish("a")
    world.advance(days=6, hours=23, minutes=30)

    with pytest.raises(FailedPrecondition):
        snapshot(world)


def test_a_seek_to_nowhere(world: World) -> None:
    """A target must be named."""
    world.create()

    with pytest.raises(InvalidArgument):
        seek(world)
