"""Pull: leases, redelivery, order, retention, dead letters."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import DeadlineExceeded, FailedPrecondition, InvalidArgument, NotFound

from local.faults.hooks import CallMoment
from tests.local.support.pubsub import (
    DEAD_SUBSCRIPTION,
    DEAD_TOPIC,
    PATIENCE_SECONDS,
    SUBSCRIPTION,
    World,
    serving,
    texts,
)


def test_a_message_is_pulled_and_acknowledged(world: World) -> None:
    """It is handed out once with its id, time and attributes, and never again."""
    world.create()
    (message_id,) = world.publish("hello", colour="red")

    (received,) = world.pull()
    world.ack(received)
    world.advance(hours=1)

    assert received.message.message_id == message_id
    assert received.message.data == b"hello"
    assert dict(received.message.attributes) == {"colour": "red"}
    assert received.message.publish_time == world.clock.now() - timedelta(hours=1)
    assert received.delivery_attempt == 0
    assert world.pull() == []


def test_every_subscription_gets_its_own(world: World) -> None:
    """What one acknowledges, the other still gets."""
    other = "projects/acme/subscriptions/other"
    world.create()
    world.subscribe(other)
    world.publish_acknowledged("a")

    assert world.pulled(other) == ["a"]


def test_a_subscription_made_too_late(world: World) -> None:
    """Messages from before it was there are not for it."""
    world.create()
    world.publish("early")
    world.subscribe("projects/acme/subscriptions/late")

    assert world.pull("projects/acme/subscriptions/late") == []


def test_a_lease_ends_unanswered(world: World) -> None:
    """The message returns at its deadline, not before, and a late acknowledgement is too late."""
    world.create(ack_deadline_seconds=30)
    world.publish("a")
    (first,) = world.pull()

    world.advance(seconds=29)
    assert world.pull() == []
    world.advance(seconds=1)
    (second,) = world.pull()
    world.ack(first)
    world.advance(seconds=30)

    assert world.pulled() == ["a"]
    assert first.ack_id != second.ack_id


def test_a_lease_is_extended(world: World) -> None:
    """The new deadline counts from when it was asked for."""
    world.create(ack_deadline_seconds=10)
    world.publish("a")
    received = world.pull()

    world.advance(seconds=9)
    world.modify(60, *received)
    world.advance(seconds=59)

    assert world.pull() == []
    world.advance(seconds=1)
    assert world.pulled() == ["a"]


def test_a_delivery_is_refused(world: World) -> None:
    """Without a retry policy the message is there again at once, before the younger ones."""
    world.create()
    world.publish("a", "b")

    world.modify(0, *world.pull(most=1))

    assert world.pulled() == ["a", "b"]


def test_a_retry_policy(world: World) -> None:
    """Refused or overdue, the pause doubles from the minimum to the maximum."""
    world.create(retry_policy={"minimum_backoff": {"seconds": 5}, "maximum_backoff": {"seconds": 15}})
    world.publish("a")

    for pause in (5, 10, 15, 15):
        world.modify(0, *world.pull())
        world.advance(seconds=pause - 0.5)
        assert world.pull() == []
        world.advance(seconds=0.5)
    world.advance(seconds=10)
    assert world.pulled() == ["a"]


def test_a_message_runs_out_of_attempts(world: World) -> None:
    """Each delivery carries its number; after the last it is a dead letter, and here no more."""
    world.create(dead_letter_policy=world.dead_letters())
    world.publish("poison")

    attempts = []
    for _ in range(4):
        (received,) = world.pull()
        attempts.append(received.delivery_attempt)
        world.modify(0, received)
    (last,) = world.pull()
    attempts.append(last.delivery_attempt)
    world.advance(seconds=10)

    assert world.pull() == []
    assert attempts == [1, 2, 3, 4, 5]
    (letter,) = world.pull(DEAD_SUBSCRIPTION)
    assert letter.message.data == b"poison"
    assert letter.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


def test_a_dead_letter_topic_is_gone(world: World) -> None:
    """The message is not lost: it is delivered again and again."""
    world.create(dead_letter_policy=world.dead_letters())
    world.publish("poison")
    world.publisher.delete_topic(topic=DEAD_TOPIC)

    for _ in range(7):
        world.modify(0, *world.pull())

    assert world.pulled() == ["poison"]


def test_ordered_messages(world: World) -> None:
    """A batch comes in order; the next of the key waits until that batch is acknowledged."""
    world.create(enable_message_ordering=True)
    world.publish("1", "2", "3", key="k")
    world.publish("loose")

    first = world.pull(most=2)
    between = world.pull()
    world.ack(first[0])
    half = world.pull()
    world.ack(first[1])

    assert texts(first) == ["1", "2"]
    assert texts(between) == ["loose"]
    assert half == []
    assert world.pulled() == ["3"]


def test_an_ordered_message_fails(world: World) -> None:
    """It comes again together with the later ones of its key that were out, in order."""
    world.create(enable_message_ordering=True)
    world.publish("1", "2", "3", key="k")
    world.publish("other", key="j")
    received = world.pull()

    world.ack(received[0], received[3])
    world.modify(0, received[1])
    world.ack(received[2])

    assert world.pulled() == ["2", "3"]


def test_an_ordered_message_is_backing_off(world: World) -> None:
    """The later ones of its key wait with it; other keys do not."""
    world.create(
        enable_message_ordering=True,
        retry_policy={"minimum_backoff": {"seconds": 5}, "maximum_backoff": {"seconds": 5}},
    )
    world.publish("1", "2", key="k")
    world.modify(0, *world.pull(most=1))
    world.publish("other", key="j")

    assert world.pulled() == ["other"]
    world.advance(seconds=5)
    assert world.pulled() == ["1", "2"]


def test_keys_without_ordering(world: World) -> None:
    """A subscription that did not ask for order does not wait."""
    world.create()
    world.publish("1", "2", key="k")

    world.pull(most=1)

    assert world.pulled() == ["2"]


def test_a_message_outlives_its_retention(world: World) -> None:
    """It is dropped, leased or not; younger ones stay."""
    world.create(message_retention_duration={"seconds": 600})
    world.publish("leased", "waiting")
    world.pull(most=1)
    world.advance(minutes=5)
    world.publish("young")

    world.advance(minutes=6)

    assert world.pulled() == ["young"]


def test_a_message_outlives_its_retention_in_a_pause(world: World) -> None:
    """It is gone, and the end of its pause does not bring it back."""
    pause = {"minimum_backoff": {"seconds": 600}, "maximum_backoff": {"seconds": 600}}
    world.create(message_retention_duration={"seconds": 600}, retry_policy=pause)
    world.publish("a")
    world.advance(minutes=5)
    world.modify(0, *world.pull())
    world.advance(minutes=6)
    assert world.pull() == []

    world.advance(minutes=5)

    assert world.pull() == []


def test_retention_is_shortened(world: World) -> None:
    """The new retention holds for what is already there."""
    world.create()
    world.publish("old")
    world.advance(hours=1)
    assert world.pulled() == ["old"]

    world.update_subscription("message_retention_duration", message_retention_duration={"seconds": 600})
    world.advance(hours=1)

    assert world.pull() == []


def test_more_acknowledgements_than_a_request_holds(world: World) -> None:
    """512 KiB are the most; nothing of a larger request is done."""
    world.create()
    world.publish("a")
    [received] = world.pull()
    ids = [received.ack_id, *(f"0-{number:0190}" for number in range(3000))]

    asked: dict[str, Any] = {"subscription": SUBSCRIPTION, "ack_ids": ids}
    with pytest.raises(InvalidArgument, match="exceeds the limit"):
        world.subscriber.acknowledge(asked)
    with pytest.raises(InvalidArgument, match="exceeds the limit"):
        world.subscriber.modify_ack_deadline({**asked, "ack_deadline_seconds": 0})

    assert world.pull() == []


def test_a_pull_waits_for_a_message(world: World) -> None:
    """It returns as soon as there is one."""
    world.create()
    answers: list[Any] = []

    def pull() -> None:
        answer = world.subscriber.pull(subscription=SUBSCRIPTION, max_messages=1)
        answers.extend(answer.received_messages)

    thread = threading.Thread(target=pull)
    thread.start()
    world.publish("a")
    thread.join(PATIENCE_SECONDS)

    assert texts(answers) == ["a"]


def test_a_pull_is_given_up(world: World) -> None:
    """The service stops waiting too, though its clock stands still."""
    ended = threading.Event()

    def notice(call: str, moment: CallMoment) -> None:
        if call.endswith("/Pull") and moment is CallMoment.AFTER:
            ended.set()

    world.faults.add(notice)
    world.create()

    with pytest.raises(DeadlineExceeded):
        world.subscriber.pull(subscription=SUBSCRIPTION, max_messages=1, retry=None, timeout=0.05)

    assert ended.wait(PATIENCE_SECONDS)


def test_a_pull_of_nothing_ends() -> None:
    """It answers empty after a few seconds of the cloud's time."""
    with serving(scale=100) as world:
        world.create()

        answer = world.subscriber.pull(subscription=SUBSCRIPTION, max_messages=1)

        assert list(answer.received_messages) == []


def test_requests_that_make_no_sense(world: World) -> None:
    """They are refused, and what is leased stays leased."""
    world.create()
    world.publish("a")
    received = world.pull()

    with pytest.raises(InvalidArgument):
        world.pull(most=0)
    with pytest.raises(InvalidArgument):
        world.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=["rubbish"])
    with pytest.raises(InvalidArgument):
        world.modify(601, *received)
    with pytest.raises(NotFound):
        world.ack(*received, name="projects/acme/subscriptions/none")
    assert world.pull() == []


def test_pulling_from_a_push_subscription(world: World) -> None:
    """Its messages go to its endpoint only."""
    world.create(push_config={"push_endpoint": "http://127.0.0.1:9/"})

    with pytest.raises(FailedPrecondition):
        world.pull()
