"""What a restart keeps: everything that was answered."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from local.core.journal import Journal
from tests.local.support.pubsub import (
    DEAD_SUBSCRIPTION,
    ORIGIN,
    SUBSCRIPTION,
    TOPIC,
    Endpoint,
    World,
    serving,
    texts,
)

SNAPSHOT = "projects/acme/snapshots/before"


@contextmanager
def life(folder: Path) -> Iterator[World]:
    """One run of the service on the journal of the others."""
    with closing(Journal(folder)) as journal, serving(journal) as world:
        yield world


def test_messages_and_answers(tmp_path: Path) -> None:
    """What is not acknowledged comes again, what is does not, and no message id comes twice."""
    with life(tmp_path) as world:
        world.create()
        ids = world.publish("acked", "leased", "waiting")
        world.ack(world.pull(most=2)[0])

    with life(tmp_path) as world:
        survivors = world.pull()
        ids += world.publish("new")

        assert texts(survivors) == ["leased", "waiting"]
        assert len(set(ids)) == 4
        assert world.pulled() == ["new"]


def test_nothing_is_left(tmp_path: Path) -> None:
    """Ids go on even when every message is gone."""
    with life(tmp_path) as world:
        world.create()
        (before,) = world.publish_acknowledged("a")

    with life(tmp_path) as world:
        (after,) = world.publish("b")

        assert int(after) > int(before)
        assert world.pulled() == ["b"]


def test_an_acknowledgement_of_the_life_before(tmp_path: Path) -> None:
    """It answers nothing that was handed out since."""
    with life(tmp_path) as world:
        world.create()
        world.publish("a")
        before = world.pull()

    with life(tmp_path) as world:
        world.pull()
        world.ack(*before)
        world.advance(seconds=10)

        assert world.pulled() == ["a"]


def test_a_seek(tmp_path: Path) -> None:
    """What was sought away stays away, what was sought back stays back."""
    with life(tmp_path) as world:
        world.create(retain_acked_messages=True)
        world.publish("a")
        world.advance(seconds=1)
        world.publish("b")
        world.ack(*world.pull()[1:])
        world.subscriber.seek({"subscription": SUBSCRIPTION, "time": ORIGIN + timedelta(seconds=1)})

    with life(tmp_path) as world:
        assert world.pulled() == ["b"]


def test_attempts_and_pauses(tmp_path: Path) -> None:
    """Failures count on, and a pause that had begun goes on."""
    with life(tmp_path) as world:
        world.create(
            dead_letter_policy=world.dead_letters(),
            retry_policy={"minimum_backoff": {"seconds": 60}, "maximum_backoff": {"seconds": 60}},
        )
        world.publish("a")
        world.modify(0, *world.pull())

    with life(tmp_path) as world:
        assert world.pull() == []
        world.advance(seconds=60)
        (received,) = world.pull()

        assert received.delivery_attempt == 2


def test_a_dead_letter(tmp_path: Path) -> None:
    """It is in one place: in its dead letter subscription, not in its own any more."""
    with life(tmp_path) as world:
        world.create(dead_letter_policy=world.dead_letters())
        world.publish("poison")
        for _ in range(5):
            world.modify(0, *world.pull())

    with life(tmp_path) as world:
        assert world.pull() == []
        assert world.pulled(DEAD_SUBSCRIPTION) == ["poison"]


def test_resources(tmp_path: Path) -> None:
    """Topics, subscriptions and policies are as they were; what was deleted stays so."""
    with life(tmp_path) as world:
        world.create(ack_deadline_seconds=77, filter="attributes:k")
        world.publisher.create_topic(name="projects/acme/topics/gone")
        world.publisher.delete_topic(topic="projects/acme/topics/gone")
        policy = world.publisher.get_iam_policy({"resource": TOPIC})
        policy.bindings.add(role="roles/pubsub.publisher", members=["user:a@example.com"])
        policy = world.publisher.set_iam_policy({"resource": TOPIC, "policy": policy})
        made = world.subscription()

    with life(tmp_path) as world:
        assert world.subscription() == made
        assert [topic.name for topic in world.publisher.list_topics(project="projects/acme")] == [TOPIC]
        assert world.publisher.get_iam_policy({"resource": TOPIC}) == policy
        world.publish("unwanted")
        assert world.pull() == []


def test_order(tmp_path: Path) -> None:
    """Messages of a key keep their order, the failed one first."""
    with life(tmp_path) as world:
        world.create(enable_message_ordering=True)
        world.publish("1", "2", "3", key="k")
        world.ack(*world.pull(most=1))
        world.modify(0, *world.pull(most=1))

    with life(tmp_path) as world:
        assert world.pulled(most=1) == ["2"]
        assert world.pull() == []


def test_seeking_back(tmp_path: Path) -> None:
    """Retained messages and snapshots can still be sought to."""
    with life(tmp_path) as world:
        world.create(retain_acked_messages=True)
        world.publish_acknowledged("acked")
        world.subscriber.create_snapshot(name=SNAPSHOT, subscription=SUBSCRIPTION)
        world.publish_acknowledged("since")

    with life(tmp_path) as world:
        assert world.pull() == []
        world.subscriber.seek({"subscription": SUBSCRIPTION, "snapshot": SNAPSHOT})
        from_snapshot = world.pulled()
        world.subscriber.seek({"subscription": SUBSCRIPTION, "time": ORIGIN - timedelta(hours=1)})

        assert from_snapshot == ["since"]
        assert world.pulled() == ["acked", "since"]


@pytest.mark.parametrize("status", [500, 204])
def test_pushes(tmp_path: Path, status: int) -> None:
    """What an endpoint acknowledged is not pushed again; what it refused is."""
    with Endpoint(lambda pushed: status).listening() as endpoint:
        with life(tmp_path) as world:
            world.create(push_config={"push_endpoint": endpoint.url})
            world.publish("a")
            endpoint.next()
            world.settle()

        with life(tmp_path) as world:
            world.advance(minutes=1)
            world.settle()

            assert endpoint.is_quiet() == (status == 204)
