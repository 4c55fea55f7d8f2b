"""Handing messages out and taking answers back: what pull, streams and push have in common."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from local.services.pubsub.broker import ActiveSubscription, Broker
from local.services.pubsub.delivery.entries import DeliveryLease, FlowControl
from local.services.pubsub.messages import (
    AcknowledgeRequest,
    ModifyAckDeadlineRequest,
    ReceivedMessage,
    Subscription,
)
from local.services.pubsub.resources import subscriptions
from local.services.pubsub.statuses import invalid_argument

BATCH_MESSAGES = 1000
BATCH_BYTES = 1_000_000
"""A response stays far below gRPC's default limit of 4 MB, but for a message that is larger."""

REQUEST_LIMIT_BYTES = 512 * 1024
"""Of one that acknowledges or modifies: https://cloud.google.com/pubsub/quotas#resource_limits."""

_ACK_ID = re.compile(r"\d+-\d+")


def lease_messages(
    broker: Broker, subscription: str, flow: FlowControl, hold: timedelta | None = None
) -> tuple[list[DeliveryLease], ActiveSubscription]:
    """What is ready now, leased for `hold` (None: the subscription's deadline), and the feed.

    Raises: Refused NOT_FOUND.
    """
    with broker.change() as now:
        feed = broker.find_subscription(subscription)
        feed.backlog.settle(now)
        hold = hold or subscriptions.ack_deadline(feed.spec)
        leases = feed.backlog.take(now, hold, flow, BATCH_MESSAGES, BATCH_BYTES)
        if leases:
            broker.touch(feed)  # their deadlines are to be watched
        return leases, feed


def lease_push_message(
    broker: Broker, subscription: str, flow: FlowControl
) -> tuple[DeliveryLease, Subscription] | None:
    """One message to push, with the configuration that says where; None when there is none."""
    with broker.change() as now:
        feed = broker.feeds.get(subscription)
        if feed is None or not subscriptions.is_push(feed.spec):
            return None
        feed.backlog.settle(now)
        leases = feed.backlog.take(now, subscriptions.ack_deadline(feed.spec), flow, 1, BATCH_BYTES)
        if not leases:
            return None
        broker.touch(feed)  # its deadline is to be watched
        return leases[0], feed.spec


def is_push_due(broker: Broker) -> bool:
    """Is there a message that could be pushed at this instant?"""
    with broker.change() as now:
        pushing = [feed for feed in broker.feeds.values() if subscriptions.is_push(feed.spec)]
        for feed in pushing:
            feed.backlog.settle(now)
        return any(feed.backlog.is_ready() for feed in pushing)


def record_push_answer(broker: Broker, subscription: str, ack_id: str, acknowledged: bool) -> None:
    """The endpoint has answered; an answer after the deadline changes nothing."""
    with broker.change() as now:
        feed = broker.feeds.get(subscription)
        if feed is None:
            return
        feed.backlog.settle(now)
        if acknowledged:
            feed.backlog.acknowledge(ack_id)
        else:
            feed.backlog.refuse(ack_id, now)


def check_size(request: AcknowledgeRequest | ModifyAckDeadlineRequest) -> None:
    """Nothing, once the request is not too large.

    Raises: Refused INVALID_ARGUMENT.
    """
    if request.ByteSize() > REQUEST_LIMIT_BYTES:
        raise invalid_argument(f"Request payload size exceeds the limit: {REQUEST_LIMIT_BYTES} bytes.")


def acknowledge(broker: Broker, subscription: str, ack_ids: Iterable[str]) -> None:
    """These deliveries are done; one whose deadline has passed is delivered again all the same.

    Raises: Refused NOT_FOUND, or INVALID_ARGUMENT for an id that was never given out.
    """
    ids = _require_ack_ids(ack_ids)
    with broker.change() as now:
        feed = broker.find_subscription(subscription)
        feed.backlog.settle(now)
        for ack_id in ids:
            feed.backlog.acknowledge(ack_id)


def modify_deadlines(
    broker: Broker, subscription: str, ack_ids: Iterable[str], seconds: Iterable[int]
) -> None:
    """These deliveries have so many seconds from now, one by one; 0 gives the delivery back.

    Raises: Refused NOT_FOUND, or INVALID_ARGUMENT.
    """
    ids = _require_ack_ids(ack_ids)
    deadlines = list(seconds)
    for deadline in deadlines:
        subscriptions.check_ack_deadline(deadline)
    if len(ids) != len(deadlines):
        raise invalid_argument("modify_deadline_seconds and modify_deadline_ack_ids differ in length.")
    with broker.change() as now:
        feed = broker.find_subscription(subscription)
        feed.backlog.settle(now)
        for ack_id, deadline in zip(ids, deadlines, strict=True):
            if deadline:
                feed.backlog.extend(ack_id, now + timedelta(seconds=deadline))
            else:
                feed.backlog.refuse(ack_id, now)
        broker.touch(feed)


def return_unseen(broker: Broker, subscription: str, flow: FlowControl) -> None:
    """A stream has ended: what was sent on it and never seen is there for others at once."""
    with broker.change():
        feed = broker.feeds.get(subscription)
        if feed is not None:
            feed.backlog.abandon(flow)
            broker.touch(feed)


def next_change_at(broker: Broker, subscription: str) -> datetime | None:
    """When the subscription changes by itself next; None: not until somebody does something.

    Raises: Refused NOT_FOUND.
    """
    with broker.change():
        return broker.find_subscription(subscription).backlog.next_due()


def build_received_messages(leases: Iterable[DeliveryLease], spec: Subscription) -> list[ReceivedMessage]:
    """The leases as a subscriber sees them; attempts are counted for it only with dead letters."""
    counted = spec.HasField("dead_letter_policy")
    return [
        ReceivedMessage(
            ack_id=lease.ack_id,
            message=lease.entry.message.proto,
            delivery_attempt=lease.attempt if counted else 0,
        )
        for lease in leases
    ]


def _require_ack_ids(ack_ids: Iterable[str]) -> list[str]:
    ids = list(ack_ids)
    for ack_id in ids:
        if not _ACK_ID.fullmatch(ack_id):
            raise invalid_argument(f"You have passed an invalid ack ID to the service (ack_id={ack_id}).")
    return ids
