"""Snapshots, and seeking a subscription to one or to a time."""

from datetime import UTC, datetime, timedelta

from google.protobuf.field_mask_pb2 import FieldMask

from local.services.pubsub import masks, names
from local.services.pubsub.broker import ActiveSubscription, Broker
from local.services.pubsub.messages import CreateSnapshotRequest, SeekRequest, Snapshot
from local.services.pubsub.names import DELETED_TOPIC
from local.services.pubsub.statuses import already_exists, failed_precondition, invalid_argument

SNAPSHOT_LIFETIME = timedelta(days=7)
"""Of a snapshot, counted from the oldest message in it:
https://cloud.google.com/pubsub/docs/replay-overview (read 2026-11)."""
MIN_SNAPSHOT_LIFETIME = timedelta(hours=1)


def create(broker: Broker, request: CreateSnapshotRequest) -> Snapshot:
    """The new snapshot of a subscription's unacknowledged messages.

    Raises: Refused ALREADY_EXISTS, NOT_FOUND, INVALID_ARGUMENT; FAILED_PRECONDITION when the oldest
    message is so old that the snapshot would end within the hour.
    """
    names.require_resource_name(request.name, "snapshots")
    with broker.change() as now:
        delete_expired_snapshots(broker, now)
        if request.name in broker.snapshots:
            raise already_exists(request.name)
        feed = broker.find_subscription(request.subscription)
        _require_attached(feed)
        feed.backlog.settle(now)
        messages = feed.backlog.unacknowledged()
        ends = min([now, *(message.published for message in messages)]) + SNAPSHOT_LIFETIME
        if ends < now + MIN_SNAPSHOT_LIFETIME:
            raise failed_precondition("The snapshot would expire in less than an hour.")
        snapshot = Snapshot(name=request.name, topic=feed.spec.topic, labels=request.labels)
        snapshot.expire_time.FromDatetime(ends)
        broker.put_snapshot(snapshot, messages)
    return snapshot


def update(broker: Broker, change: Snapshot, mask: FieldMask) -> Snapshot:
    """The snapshot with the masked fields changed.

    Raises: Refused NOT_FOUND, INVALID_ARGUMENT.
    """
    with broker.change() as now:
        delete_expired_snapshots(broker, now)
        current = broker.snapshot(change.name).spec
        snapshot = masks.merge_masked_fields(current, change, mask, ("labels", "expire_time"))
        broker.put_snapshot(snapshot)
    return snapshot


def delete_expired_snapshots(broker: Broker, now: datetime) -> None:
    """Forget the snapshots whose time is over."""
    for name, held in list(broker.snapshots.items()):
        if held.spec.expire_time.ToDatetime(tzinfo=UTC) <= now:
            broker.remove_snapshot(name)


def seek(broker: Broker, request: SeekRequest) -> None:
    """Nothing; the subscription delivers again from a time, or what a snapshot holds.

    A time brings back what was published at it or later, of what the subscription still keeps.
    Raises: Refused NOT_FOUND; INVALID_ARGUMENT for no target, or a snapshot of another topic.
    """
    with broker.change() as now:
        delete_expired_snapshots(broker, now)
        feed = broker.find_subscription(request.subscription)
        _require_attached(feed)
        feed.backlog.settle(now)
        if request.WhichOneof("target") == "time":
            start = request.time.ToDatetime(tzinfo=UTC)
            feed.backlog.seek(lambda message: message.published >= start)
        elif request.WhichOneof("target") == "snapshot":
            _seek_snapshot(broker, feed, request.snapshot)
        else:
            raise invalid_argument("A seek names a time or a snapshot.")
        broker.touch(feed)


def _seek_snapshot(broker: Broker, feed: ActiveSubscription, name: str) -> None:
    held = broker.snapshot(name)
    if held.spec.topic != feed.spec.topic or held.spec.topic == DELETED_TOPIC:
        raise invalid_argument("The snapshot is of another topic than the subscription.")
    wanted = {
        sequence: message
        for sequence, message in held.messages.items()
        if feed.matches(message.proto.attributes)
    }
    feed.backlog.seek(lambda message: message.sequence in wanted, wanted.values())


def _require_attached(feed: ActiveSubscription) -> None:
    if feed.spec.detached:
        raise failed_precondition(f"Subscription is detached (resource={feed.spec.name}).")
