"""The calls of google.pubsub.v1.Subscriber."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import repeat

import grpc
from google.protobuf.empty_pb2 import Empty

from local.core.pages import page
from local.services.pubsub import names
from local.services.pubsub.broker import Broker
from local.services.pubsub.delivery import deliveries, streams
from local.services.pubsub.delivery.entries import FlowControl
from local.services.pubsub.messages import (
    AcknowledgeRequest,
    CreateSnapshotRequest,
    DeleteSnapshotRequest,
    DeleteSubscriptionRequest,
    GetSnapshotRequest,
    GetSubscriptionRequest,
    ListSnapshotsRequest,
    ListSnapshotsResponse,
    ListSubscriptionsRequest,
    ListSubscriptionsResponse,
    ModifyAckDeadlineRequest,
    ModifyPushConfigRequest,
    PullRequest,
    PullResponse,
    SeekRequest,
    SeekResponse,
    Snapshot,
    StreamingPullRequest,
    StreamingPullResponse,
    Subscription,
    UpdateSnapshotRequest,
    UpdateSubscriptionRequest,
)
from local.services.pubsub.resources import snapshots, subscriptions
from local.services.pubsub.statuses import already_exists, invalid_argument

MAX_PAGE_SIZE = 1000
PULL_WAIT = timedelta(seconds=5)
"""Of cloud time; how long a pull waits for a first message. The real service does not say."""


class Subscriber:
    """Subscriptions, their messages, and snapshots."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def CreateSubscription(self, request: Subscription, context: grpc.ServicerContext) -> Subscription:
        """The new subscription; ALREADY_EXISTS when there is one, NOT_FOUND without its topic."""
        subscription = subscriptions.build_subscription(request)
        names.require_resource_name(subscription.topic, "topics")
        with self._broker.change():
            if subscription.name in self._broker.feeds:
                raise already_exists(subscription.name)
            self._broker.topic(subscription.topic)
            self._check_dead_letter_topic(subscription)
            self._broker.put_subscription(subscription)
        return subscription

    def GetSubscription(self, request: GetSubscriptionRequest, context: grpc.ServicerContext) -> Subscription:
        """The subscription."""
        with self._broker.change():
            return self._broker.find_subscription(request.subscription).spec

    def UpdateSubscription(
        self, request: UpdateSubscriptionRequest, context: grpc.ServicerContext
    ) -> Subscription:
        """The subscription with the masked fields changed."""
        with self._broker.change():
            current = self._broker.find_subscription(request.subscription.name).spec
            subscription = subscriptions.update_subscription(
                current, request.subscription, request.update_mask
            )
            self._check_dead_letter_topic(subscription)
            self._broker.put_subscription(subscription)
        return subscription

    def ModifyPushConfig(self, request: ModifyPushConfigRequest, context: grpc.ServicerContext) -> Empty:
        """Nothing; an empty configuration turns push into pull."""
        with self._broker.change():
            current = self._broker.find_subscription(request.subscription).spec
            self._broker.put_subscription(subscriptions.with_push(current, request.push_config))
        return Empty()

    def ListSubscriptions(
        self, request: ListSubscriptionsRequest, context: grpc.ServicerContext
    ) -> ListSubscriptionsResponse:
        """A page of the project's subscriptions, by name."""
        with self._broker.change():
            found = [
                feed.spec
                for name, feed in sorted(self._broker.feeds.items())
                if name.startswith(f"{request.project}/")
            ]
        listed, token = page(
            found, lambda spec: str(spec.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        return ListSubscriptionsResponse(subscriptions=listed, next_page_token=token)

    def DeleteSubscription(self, request: DeleteSubscriptionRequest, context: grpc.ServicerContext) -> Empty:
        """Nothing; what it had to deliver is lost."""
        with self._broker.change():
            self._broker.find_subscription(request.subscription)
            self._broker.remove_subscription(request.subscription)
        return Empty()

    def Pull(self, request: PullRequest, context: grpc.ServicerContext) -> PullResponse:
        """Messages that are ready; without any, those of the next few seconds of cloud time."""
        if request.max_messages <= 0:
            raise invalid_argument("max_messages must be positive.")
        flow = FlowControl(most_messages=request.max_messages)
        clock = self._broker.clock
        with self._broker.watch(request.subscription) as changed:
            context.add_callback(lambda: self._broker.wake_watchers(changed))
            until = clock.now() if request.return_immediately else clock.now() + PULL_WAIT
            while context.is_active():
                changed.clear()
                leases, feed = deliveries.lease_messages(self._broker, request.subscription, flow)
                streams.check_pullable(feed.spec)
                if leases or clock.now() >= until:
                    return PullResponse(
                        received_messages=deliveries.build_received_messages(leases, feed.spec)
                    )
                due = deliveries.next_change_at(self._broker, request.subscription)
                clock.wait(min(due or until, until), changed)
        return PullResponse()

    def StreamingPull(
        self, request: Iterator[StreamingPullRequest], context: grpc.ServicerContext
    ) -> Iterator[StreamingPullResponse]:
        """Messages as they come, until either side ends the stream."""
        first = streams.read_first_request(request)
        yield from streams.Stream(self._broker, first, request).responses()

    def Acknowledge(self, request: AcknowledgeRequest, context: grpc.ServicerContext) -> Empty:
        """Nothing; the deliveries are done."""
        deliveries.check_size(request)
        deliveries.acknowledge(self._broker, request.subscription, request.ack_ids)
        return Empty()

    def ModifyAckDeadline(self, request: ModifyAckDeadlineRequest, context: grpc.ServicerContext) -> Empty:
        """Nothing; the deliveries have longer, or with 0 are given back."""
        deliveries.check_size(request)
        seconds = repeat(request.ack_deadline_seconds, len(request.ack_ids))
        deliveries.modify_deadlines(self._broker, request.subscription, request.ack_ids, seconds)
        return Empty()

    def CreateSnapshot(self, request: CreateSnapshotRequest, context: grpc.ServicerContext) -> Snapshot:
        """The new snapshot."""
        return snapshots.create(self._broker, request)

    def GetSnapshot(self, request: GetSnapshotRequest, context: grpc.ServicerContext) -> Snapshot:
        """The snapshot."""
        with self._broker.change() as now:
            snapshots.delete_expired_snapshots(self._broker, now)
            return self._broker.snapshot(request.snapshot).spec

    def UpdateSnapshot(self, request: UpdateSnapshotRequest, context: grpc.ServicerContext) -> Snapshot:
        """The snapshot with the masked fields changed."""
        return snapshots.update(self._broker, request.snapshot, request.update_mask)

    def ListSnapshots(
        self, request: ListSnapshotsRequest, context: grpc.ServicerContext
    ) -> ListSnapshotsResponse:
        """A page of the project's snapshots, by name."""
        with self._broker.change() as now:
            snapshots.delete_expired_snapshots(self._broker, now)
            found = [
                held.spec
                for name, held in sorted(self._broker.snapshots.items())
                if name.startswith(f"{request.project}/")
            ]
        listed, token = page(
            found, lambda spec: str(spec.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        return ListSnapshotsResponse(snapshots=listed, next_page_token=token)

    def DeleteSnapshot(self, request: DeleteSnapshotRequest, context: grpc.ServicerContext) -> Empty:
        """Nothing; subscriptions that were sought to it keep what they got."""
        with self._broker.change():
            self._broker.snapshot(request.snapshot)
            self._broker.remove_snapshot(request.snapshot)
        return Empty()

    def Seek(self, request: SeekRequest, context: grpc.ServicerContext) -> SeekResponse:
        """Nothing; delivery goes on from the time or the snapshot."""
        snapshots.seek(self._broker, request)
        return SeekResponse()

    def _check_dead_letter_topic(self, subscription: Subscription) -> None:
        if subscription.HasField("dead_letter_policy"):
            self._broker.topic(subscription.dead_letter_policy.dead_letter_topic)
