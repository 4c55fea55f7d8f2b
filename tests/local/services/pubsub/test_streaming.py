"""Streaming pull: what is outstanding, its own deadline, and how a stream ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound, ServiceUnavailable
from google.cloud import pubsub_v1
from google.pubsub_v1 import types

from tests.local.support.pubsub import PATIENCE_SECONDS, SUBSCRIPTION, TOPIC, World, texts


def test_the_streaming_client(world: World) -> None:
    """Google's subscriber gets every message once, with at most its limit in hand."""
    world.create()
    lock = threading.Lock()
    everything = threading.Event()
    seen: list[str] = []

    def receive(message: Any) -> None:
        message.ack()
        with lock:
            seen.append(message.data.decode())
            if len(seen) == 300:
                everything.set()

    control = pubsub_v1.types.FlowControl(max_messages=10)
    streaming = world.subscriber.subscribe(SUBSCRIPTION, receive, flow_control=control)
    for number in range(30):
        world.publish(*[f"{number}.{part}" for part in range(10)])

    assert everything.wait(PATIENCE_SECONDS)
    streaming.cancel()
    streaming.result(timeout=PATIENCE_SECONDS)
    assert len(set(seen)) == len(seen) == 300


class Stream:
    """A raw streaming pull; leaving it ends our half, and sees the other side's end."""

    def __init__(self, world: World, **first: Any) -> None:
        opening = {"subscription": SUBSCRIPTION, "stream_ack_deadline_seconds": 60, **first}
        self._requests: list[types.StreamingPullRequest] = [types.StreamingPullRequest(opening)]
        self._more = threading.Semaphore(1)
        self.is_refused = False
        self.answers = world.subscriber.streaming_pull(self._feed())

    def _feed(self) -> Iterator[types.StreamingPullRequest]:
        while self._more.acquire() and self._requests:
            yield self._requests.pop(0)

    def send(self, **request: Any) -> None:
        self._requests.append(types.StreamingPullRequest(request))
        self._more.release()

    def next(self) -> list[Any]:
        return list(next(self.answers).received_messages)

    def check_refusal(self, status: type[Exception]) -> None:
        """Check that the other side ends the stream with a status."""
        self.is_refused = True
        with pytest.raises(status):
            next(self.answers)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *failure: object) -> None:
        self._more.release()
        if failure == (None, None, None) and not self.is_refused:
            assert list(self.answers) == []


def begun_stream(world: World) -> Stream:
    """A stream that has had its first message."""
    world.create()
    world.publish("a")
    stream = Stream(world)
    stream.next()
    return stream


def test_a_stream_with_room_for_two(world: World) -> None:
    """No more than the limit is outstanding; an answer on the stream makes room for as many."""
    world.create()
    world.publish(*"abcde")

    with Stream(world, max_outstanding_messages=2) as stream:
        first = stream.next()
        stream.send(ack_ids=[first[0].ack_id])
        second = stream.next()
        ids = [received.ack_id for received in (first[1], *second)]
        stream.send(modify_deadline_ack_ids=ids, modify_deadline_seconds=[60, 0])
        third = stream.next()

    assert [texts(batch) for batch in (first, second, third)] == [["a", "b"], ["c"], ["c"]]


def test_a_stream_with_room_for_few_bytes(world: World) -> None:
    """It stops once the limit is reached."""
    world.create()
    world.publish("x" * 1000, "y" * 1000, "z" * 1000)

    with Stream(world, max_outstanding_bytes=1500) as stream:
        first = stream.next()
        world.ack(*first)
        second = stream.next()

    assert len(first) == 2
    assert texts(second) == ["z" * 1000]


def test_a_stream_that_wants_everything(world: World) -> None:
    """Without a limit everything comes, and says what kind of subscription it is."""
    world.create(enable_message_ordering=True, enable_exactly_once_delivery=True)
    world.publish(*"abc", key="k")

    with Stream(world) as stream:
        answer = next(stream.answers)

    assert texts(list(answer.received_messages)) == ["a", "b", "c"]
    assert answer.subscription_properties.message_ordering_enabled
    assert answer.subscription_properties.exactly_once_delivery_enabled
    assert world.pulled() == ["a", "b", "c"]


def test_a_stream_redelivers_at_its_own_deadline(world: World) -> None:
    """The stream's deadline counts, not the subscription's."""
    world.create(ack_deadline_seconds=600)
    world.publish("a")

    with Stream(world, stream_ack_deadline_seconds=10) as stream:
        stream.next()
        world.advance(seconds=10)
        assert texts(stream.next()) == ["a"]


def test_a_stream_ends_with_messages_unseen(world: World) -> None:
    """What was sent and never answered is there for others at once, as its first delivery."""
    world.create(dead_letter_policy=world.dead_letters())
    world.publish("seen", "unseen")
    with Stream(world) as stream:
        seen, _ = stream.next()
        stream.send(modify_deadline_ack_ids=[seen.ack_id], modify_deadline_seconds=[60])

    (received,) = world.pull()

    assert received.message.data == b"unseen"
    assert received.delivery_attempt == 1


@pytest.mark.parametrize(
    "request_",
    [
        {"ack_ids": ["rubbish"]},
        {"modify_deadline_ack_ids": ["1-1"], "modify_deadline_seconds": []},
        {"modify_deadline_ack_ids": ["1-1"], "modify_deadline_seconds": [-1]},
        {"stream_ack_deadline_seconds": 5},
    ],
)
def test_a_stream_that_makes_no_sense(world: World, request_: dict[str, Any]) -> None:
    """It is ended with the reason."""
    with begun_stream(world) as stream:
        stream.send(**request_)
        stream.check_refusal(InvalidArgument)


def test_the_subscription_of_a_stream_is_deleted(world: World) -> None:
    """The stream ends with the reason."""
    with begun_stream(world) as stream:
        world.subscriber.delete_subscription(subscription=SUBSCRIPTION)
        stream.check_refusal(NotFound)


def test_the_service_closes_while_a_stream_waits(world: World) -> None:
    """The stream ends, and nothing is accepted that would not be kept."""
    with begun_stream(world) as stream:
        world.pubsub.close()
        stream.check_refusal(ServiceUnavailable)
    with pytest.raises(ServiceUnavailable):
        world.publisher.publish(topic=TOPIC, messages=[{"data": b"b"}], retry=None)
