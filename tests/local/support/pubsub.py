"""A Pub/Sub on loopback with real clients, and an HTTP endpoint for it to push to."""

from __future__ import annotations

import base64
import json
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.cloud import pubsub_v1
from google.iam.v1 import iam_policy_pb2
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from local.core import grpc_services
from local.core.clock import CloudClock
from local.core.journal import Journal
from local.core.loopback import Loop
from local.faults.hooks import FaultHooks
from local.services.pubsub import PubSub

ORIGIN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PATIENCE_SECONDS = 60.0
"""Of wall time: how long a test waits for another thread before it fails."""
TOPIC = "projects/acme/topics/orders"
DEAD_TOPIC = "projects/acme/topics/dead"
SUBSCRIPTION = "projects/acme/subscriptions/orders"
DEAD_SUBSCRIPTION = "projects/acme/subscriptions/dead"
_IAM = iam_policy_pb2.DESCRIPTOR.services_by_name["IAMPolicy"]


class World:
    """A served Pub/Sub, its clock, and Google's clients for it."""

    def __init__(self, pubsub: PubSub, clock: CloudClock, faults: FaultHooks, address: str) -> None:
        self.pubsub = pubsub
        self.clock = clock
        self.faults = faults
        self.address = address
        self.channel = grpc.insecure_channel(address)
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self.channel))
        self.subscriber = pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=self.channel))

    def advance(self, **by: float) -> None:
        """Let cloud time pass."""
        self.clock.advance(timedelta(**by))

    def settle(self) -> None:
        """Return when everything that is due by now has been pushed and answered."""
        assert self.pubsub.settle(PATIENCE_SECONDS)

    def create(self, **configuration: Any) -> None:
        """The topic, and a subscription to it."""
        self.publisher.create_topic(name=TOPIC)
        self.subscribe(**configuration)

    def subscribe(self, name: str = SUBSCRIPTION, topic: str = TOPIC, **configuration: Any) -> None:
        """A subscription."""
        self.subscriber.create_subscription({"name": name, "topic": topic, **configuration})

    def subscription(self) -> pubsub_v1.types.Subscription:
        """The subscription as it can be read."""
        return self.subscriber.get_subscription(subscription=SUBSCRIPTION)

    def update_subscription(self, *paths: str, **change: Any) -> pubsub_v1.types.Subscription:
        """Change these fields of it; the subscription then."""
        return self.subscriber.update_subscription(
            {"subscription": {"name": SUBSCRIPTION, **change}, "update_mask": {"paths": paths}}
        )

    def dead_letters(self, **configuration: Any) -> dict[str, Any]:
        """A dead letter policy, and the topic and subscription where its letters go."""
        self.publisher.create_topic(name=DEAD_TOPIC)
        self.subscribe(DEAD_SUBSCRIPTION, DEAD_TOPIC, **configuration)
        return {"dead_letter_topic": DEAD_TOPIC, "max_delivery_attempts": 5}

    def publish(self, *data: str, key: str = "", topic: str = TOPIC, **attributes: str) -> list[str]:
        """The ids of one published message for each text."""
        messages = [{"data": text.encode(), "ordering_key": key, "attributes": attributes} for text in data]
        return list(self.publisher.publish(topic=topic, messages=messages).message_ids)

    def pull(self, name: str = SUBSCRIPTION, most: int = 100) -> list[Any]:
        """What is ready right now, leased."""
        request = {"subscription": name, "max_messages": most, "return_immediately": True}
        return list(self.subscriber.pull(request).received_messages)

    def pulled(self, name: str = SUBSCRIPTION, most: int = 100) -> list[str]:
        """The data of what is ready right now, leased."""
        return texts(self.pull(name, most))

    def ack(self, *received: Any, name: str = SUBSCRIPTION) -> None:
        """Acknowledge."""
        ids = [message.ack_id for message in received]
        self.subscriber.acknowledge(subscription=name, ack_ids=ids)

    def publish_acknowledged(self, *data: str) -> list[str]:
        """Publish, and acknowledge all that is ready then; the ids."""
        ids = self.publish(*data)
        self.ack(*self.pull())
        return ids

    def modify(self, seconds: int, *received: Any) -> None:
        """Give the deliveries so many seconds; 0 refuses them."""
        self.subscriber.modify_ack_deadline(
            subscription=SUBSCRIPTION,
            ack_ids=[message.ack_id for message in received],
            ack_deadline_seconds=seconds,
        )


def texts(received: list[Any]) -> list[str]:
    """The data of received messages."""
    return [message.message.data.decode() for message in received]


@contextmanager
def serving(journal: Journal | None = None, push_concurrency: int = 32, scale: float = 0) -> Iterator[World]:
    """A Pub/Sub whose clock stands still (or runs at a scale) until the body is left."""
    clock, faults = CloudClock(ORIGIN, scale), FaultHooks()
    pubsub = PubSub(clock, journal or Journal(), faults, push_concurrency)
    services = {
        PublisherGrpcTransport: pubsub.publisher,
        SubscriberGrpcTransport: pubsub.subscriber,
        _IAM: pubsub.policy,
    }
    server, address = grpc_services.serve(services, faults)
    world = World(pubsub, clock, faults, address)
    try:
        yield world
    finally:
        world.channel.close()
        server.stop(grace=None).wait()
        pubsub.close()


@dataclass(frozen=True)
class Pushed:
    """A push request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The message's data."""
        return base64.b64decode(self.body["message"].get("data", "")).decode()


class Endpoint:
    """Receives pushes; `answer` says with which status, and may take its time."""

    def __init__(self, answer: Callable[[Pushed], int]) -> None:
        self.answer = answer
        self._pushed: queue.Queue[Pushed] = queue.Queue()
        self._server = _Server(("127.0.0.1", 0), _handler(self._receive))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/projects/acme/topics/orders"

    def next(self) -> Pushed:
        """The next push; fails the test when none comes."""
        return self._pushed.get(timeout=PATIENCE_SECONDS)

    def is_quiet(self) -> bool:
        """Has nothing arrived that `next` has not handed out?"""
        return self._pushed.empty()

    def _receive(self, pushed: Pushed) -> int:
        self._pushed.put(pushed)
        return self.answer(pushed)

    @contextmanager
    def listening(self) -> Iterator[Endpoint]:
        """Serve while the body runs."""
        loop = Loop(self._server, "endpoint")
        try:
            yield self
        finally:
            loop.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # the default of 5 resets connections when 32 pushes come at once


def _handler(receive: Callable[[Pushed], int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = receive(Pushed(self.path, dict(self.headers), body))
            try:
                self.send_response(status)
                self.end_headers()
            except ConnectionError:
                return  # cut off, as it may be

        def log_message(self, *args: Any) -> None:
            return

    return Handler
