"""StreamingPull: messages flow one way, answers and flow control the other."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import grpc

from local.services.pubsub.broker import Broker
from local.services.pubsub.delivery import deliveries
from local.services.pubsub.delivery.entries import FlowControl
from local.services.pubsub.messages import StreamingPullRequest, StreamingPullResponse, Subscription
from local.services.pubsub.resources import subscriptions
from local.services.pubsub.statuses import ServiceEnded, failed_precondition, invalid_argument

IDLE_WAIT = timedelta(hours=1)
"""How long to wait when nothing is due; whatever happens wakes the wait."""
MIN_ACK_DEADLINE_SECONDS = 10


class Stream:
    """One StreamingPull, from its first request to its end."""

    def __init__(
        self, broker: Broker, first: StreamingPullRequest, requests: Iterator[StreamingPullRequest]
    ) -> None:
        self._broker = broker
        self._requests = requests
        self._subscription: str = first.subscription
        self._flow = FlowControl(first.max_outstanding_messages, first.max_outstanding_bytes)
        self._hold = timedelta()
        self._over = threading.Event()
        self._error: Exception | None = None
        self._keep_deadline(first.stream_ack_deadline_seconds)
        self._apply(first)

    def responses(self) -> Iterator[StreamingPullResponse]:
        """Batches of messages as they become ready, until either side ends the stream.

        Raises: Refused when the service ends, the subscription goes, or a request is wrong.
        """
        with self._broker.watch(self._subscription) as changed:
            reader = threading.Thread(target=self._read, args=(changed,), name="pubsub-stream", daemon=True)
            reader.start()
            try:
                yield from self._batches(changed)
            finally:
                with suppress(ServiceEnded):
                    deliveries.return_unseen(self._broker, self._subscription, self._flow)
        if self._error is not None:
            raise self._error

    def _batches(self, changed: threading.Event) -> Iterator[StreamingPullResponse]:
        while not self._over.is_set():
            changed.clear()
            leases, feed = deliveries.lease_messages(self._broker, self._subscription, self._flow, self._hold)
            check_pullable(feed.spec)
            if leases:
                yield _response(deliveries.build_received_messages(leases, feed.spec), feed.spec)
                continue
            clock = self._broker.clock
            due = deliveries.next_change_at(self._broker, self._subscription)
            if not self._over.is_set():
                clock.wait(due or clock.now() + IDLE_WAIT, changed)

    def _read(self, changed: threading.Event) -> None:
        """Apply what the subscriber sends; its silence, its cancelling and its errors end it."""
        try:
            for request in self._requests:
                if request.stream_ack_deadline_seconds:
                    self._keep_deadline(request.stream_ack_deadline_seconds)
                self._apply(request)
        except grpc.RpcError:
            return  # the call was cancelled, which ends the stream as its silence does
        except Exception as error:
            self._error = error
        finally:
            self._end(changed)

    def _keep_deadline(self, seconds: int) -> None:
        subscriptions.check_ack_deadline(seconds, MIN_ACK_DEADLINE_SECONDS)
        self._hold = timedelta(seconds=seconds)

    def _apply(self, request: StreamingPullRequest) -> None:
        if request.ack_ids:
            deliveries.acknowledge(self._broker, self._subscription, request.ack_ids)
        if request.modify_deadline_ack_ids or request.modify_deadline_seconds:
            deliveries.modify_deadlines(
                self._broker,
                self._subscription,
                request.modify_deadline_ack_ids,
                request.modify_deadline_seconds,
            )

    def _end(self, changed: threading.Event) -> None:
        self._over.set()
        self._broker.wake_watchers(changed)


def check_pullable(spec: Subscription) -> None:
    """Nothing, once messages of this subscription may be pulled.

    Raises: Refused FAILED_PRECONDITION for a detached one and one that pushes.
    """
    if spec.detached:
        raise failed_precondition(f"Subscription is detached (resource={spec.name}).")
    if subscriptions.is_push(spec):
        raise failed_precondition(f"Pull is not allowed on a push subscription (resource={spec.name}).")


def read_first_request(requests: Iterator[StreamingPullRequest]) -> StreamingPullRequest:
    """The first request of a stream.

    Raises: Refused INVALID_ARGUMENT when there is none.
    """
    first = next(requests, None)
    if first is None:
        raise invalid_argument("A stream begins with a request that names its subscription.")
    return first


def _response(messages: list[object], spec: Subscription) -> StreamingPullResponse:
    return StreamingPullResponse(
        received_messages=messages,
        subscription_properties=StreamingPullResponse.SubscriptionProperties(
            exactly_once_delivery_enabled=spec.enable_exactly_once_delivery,
            message_ordering_enabled=spec.enable_message_ordering,
        ),
    )
