"""The state of the service: everything that it keeps, under one lock and one journal."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.pubsub.broker_journal import BrokerJournal, entry_rows
from local.services.pubsub.delivery.backlog import Backlog
from local.services.pubsub.delivery.entries import Entry, PublishedMessage
from local.services.pubsub.messages import PubsubMessage, Schema, Snapshot, Subscription, Topic, copy_resource
from local.services.pubsub.names import DELETED_SCHEMA, DELETED_TOPIC, project_of, short_name
from local.services.pubsub.resources import filters, subscriptions, topics
from local.services.pubsub.statuses import ServiceEnded, not_found

DEAD_LETTER_ATTRIBUTE_PREFIX = "CloudPubSubDeadLetterSource"
"""Begins the attributes of a dead letter:
https://cloud.google.com/pubsub/docs/handling-failures#how_dead_letter_topics_work."""


@dataclass(slots=True, eq=False)
class ActiveSubscription:
    """A subscription at work: its configuration and what it still has to deliver."""

    spec: Subscription
    backlog: Backlog
    matches: filters.Predicate
    watchers: set[threading.Event] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class SnapshotState:
    """A snapshot: what was unacknowledged when it was made, and everything published since."""

    spec: Snapshot
    messages: dict[int, PublishedMessage] = field(default_factory=dict)


class Broker:
    """Everything that Pub/Sub knows; read it and change it inside `change` only."""

    def __init__(self, clock: CloudClock, journal: Journal, faults: FaultHooks) -> None:
        self.clock = clock
        self._faults = faults
        self.ledger = BrokerJournal(journal)
        self.topics: dict[str, Topic] = {}
        self.feeds: dict[str, ActiveSubscription] = {}
        self.snapshots: dict[str, SnapshotState] = {}
        self.schemas: dict[str, Schema] = {}
        self.policies: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._watchers: set[threading.Event] = set()
        self._touched: set[ActiveSubscription] = set()
        self._closed = threading.Event()
        self._sequence = 0
        self._session = 1
        self._replay()

    @property
    def closed(self) -> bool:
        """Has the service ended?"""
        return self._closed.is_set()

    def close(self) -> None:
        """End the service: nothing is changed any more, and everybody who waits wakes up."""
        with self._lock:
            self._closed.set()
            waiting = [self._watchers, *(feed.watchers for feed in self.feeds.values())]
            events = [event for watchers in waiting for event in watchers]
        self.wake_watchers(*events)

    @contextmanager
    def change(self) -> Iterator[datetime]:
        """The whole service at one instant, which is handed out; durable when the body is left.

        What the body changed before it raised is changed: it checks first.
        Raises: Ended.
        """
        events: set[threading.Event] = set()
        try:
            with self._lock:
                if self.closed:
                    raise ServiceEnded
                try:
                    yield self.clock.now()
                finally:
                    self.ledger.commit()
                    touched, self._touched = self._touched, set()
                    if touched:
                        events = self._watchers.union(*(feed.watchers for feed in touched))
        finally:
            self.wake_watchers(*events)

    @contextmanager
    def watch(self, subscription: str | None = None) -> Iterator[threading.Event]:
        """An event that is set whenever a subscription, or any of them, may have something new.

        Raises: Refused NOT_FOUND.
        """
        event = threading.Event()
        with self._lock:
            watchers = (
                self._watchers if subscription is None else self.find_subscription(subscription).watchers
            )
            watchers.add(event)
        try:
            yield event
        finally:
            with self._lock:
                watchers.discard(event)

    def wake_watchers(self, *events: threading.Event) -> None:
        """Set the events, and make who waits on them with the clock look."""
        for event in events:
            event.set()
        if events:
            self.clock.wake()

    def topic(self, name: str) -> Topic:
        """The topic of that name.

        Raises: Refused NOT_FOUND.
        """
        if name not in self.topics:
            raise not_found(name)
        return self.topics[name]

    def find_subscription(self, subscription: str) -> ActiveSubscription:
        """The subscription of that name, at work.

        Raises: Refused NOT_FOUND.
        """
        if subscription not in self.feeds:
            raise not_found(subscription)
        return self.feeds[subscription]

    def snapshot(self, name: str) -> SnapshotState:
        """The snapshot of that name.

        Raises: Refused NOT_FOUND.
        """
        if name not in self.snapshots:
            raise not_found(name)
        return self.snapshots[name]

    def touch(self, feed: ActiveSubscription) -> None:
        """Wake who watches this subscription when the change is over."""
        self._touched.add(feed)

    def put_topic(self, topic: Topic) -> None:
        """Keep a new topic, or a new state of one."""
        self.topics[topic.name] = topic
        self.ledger.put(f"topic/{topic.name}", topic.SerializeToString())
        for feed in self._feeds_of(topic.name):
            self.put_subscription(copy_resource(feed.spec))

    def remove_topic(self, name: str) -> None:
        """Forget a topic; its subscriptions keep what they have, and get nothing more."""
        orphans = self._feeds_of(name)
        del self.topics[name]
        self.ledger.put(f"topic/{name}", None)
        self.put_policy(name, None)
        for feed in orphans:
            orphan = copy_resource(feed.spec)
            orphan.topic = DELETED_TOPIC
            self.put_subscription(orphan)

    def put_schema(self, name: str, schema: Schema | None) -> None:
        """Keep a schema, or a new revision of one; None forgets it, and its topics have none."""
        self.ledger.put(f"schema/{name}", None if schema is None else schema.SerializeToString())
        if schema is not None:
            self.schemas[name] = schema
            return
        del self.schemas[name]
        self.put_policy(name, None)
        for topic in [one for one in self.topics.values() if one.schema_settings.schema == name]:
            orphan = copy_resource(topic)
            orphan.schema_settings.schema = DELETED_SCHEMA
            self.put_topic(orphan)

    def put_subscription(self, spec: Subscription) -> None:
        """Keep a new subscription, or a new configuration of one."""
        self.ledger.put(f"subscription/{spec.name}", spec.SerializeToString())
        self._govern(spec)
        self.touch(self.feeds[spec.name])

    def remove_subscription(self, name: str) -> None:
        """Forget a subscription and what it had to deliver."""
        feed = self.feeds[name]
        feed.backlog.discard()
        self.touch(feed)
        del self.feeds[name]
        self.ledger.put(f"subscription/{name}", None)
        self.put_policy(name, None)

    def put_policy(self, resource: str, policy: bytes | None) -> None:
        """Keep the access policy of a resource; None forgets it."""
        if policy is None:
            self.policies.pop(resource, None)
        else:
            self.policies[resource] = policy
        self.ledger.put(f"policy/{resource}", policy)

    def put_snapshot(self, spec: Snapshot, messages: Iterable[PublishedMessage] = ()) -> None:
        """Keep a new snapshot with its messages, or a new state of one."""
        held = self.snapshots.setdefault(spec.name, SnapshotState(spec))
        held.spec = spec
        self.ledger.put(f"snapshot/{spec.name}", spec.SerializeToString())
        for message in messages:
            self._hold(held, message)

    def remove_snapshot(self, name: str) -> None:
        """Forget a snapshot."""
        held = self.snapshots.pop(name)
        self.ledger.put(f"snapshot/{name}", None)
        self.put_policy(name, None)
        for sequence in held.messages:
            self.ledger.put(f"held/{name}/{sequence:020}", None)

    def publish(self, topic: str, protos: Iterable[PubsubMessage], now: datetime) -> list[str]:
        """Put messages into every subscription of a topic that wants them; the message ids.

        Raises: Refused NOT_FOUND.
        """
        self.topic(topic)
        feeds = self._feeds_of(topic)
        snapshots = [held for held in self.snapshots.values() if held.spec.topic == topic]
        ids = []
        for proto in protos:
            message = self._stamp(proto, now)
            ids.append(message.proto.message_id)
            for feed in feeds:
                if feed.matches(message.proto.attributes):
                    self._enter(feed, message, now)
            for held in snapshots:
                self._hold(held, message)
        # Message ids are never used twice, even when nothing else of the message is kept.
        self.ledger.put("counter/sequence", str(self._sequence).encode())
        return ids

    def _enter(self, feed: ActiveSubscription, message: PublishedMessage, now: datetime) -> None:
        """Let a message into a subscription; exactly-once delivery never repeats one by itself."""
        fate = self._faults.fate(f"message {feed.spec.name}")
        due = now + fate.delay if fate.delay else None
        once = feed.spec.enable_exactly_once_delivery
        feed.backlog.add(message, due, 0 if once else fate.copies)

    def _stamp(self, proto: PubsubMessage, now: datetime) -> PublishedMessage:
        self._sequence += 1
        stamped = copy_resource(proto)
        stamped.message_id = str(self._sequence)
        stamped.publish_time.FromDatetime(now)
        return PublishedMessage(self._sequence, stamped, stamped.SerializeToString(), now)

    def _hold(self, held: SnapshotState, message: PublishedMessage) -> None:
        held.messages[message.sequence] = message
        self.ledger.put(f"held/{held.spec.name}/{message.sequence:020}", message.encoded)

    def _feeds_of(self, topic: str) -> list[ActiveSubscription]:
        return [feed for feed in self.feeds.values() if feed.spec.topic == topic and not feed.spec.detached]

    def _govern(self, spec: Subscription) -> None:
        topic = self.topics.get(spec.topic)
        topic_retention = topics.retention(topic) if topic is not None else timedelta()
        spec.ClearField("topic_message_retention_duration")
        if topic_retention:
            spec.topic_message_retention_duration.FromTimedelta(topic_retention)
        rules = subscriptions.build_delivery_rules(spec, topic_retention)
        if spec.name in self.feeds:
            feed = self.feeds[spec.name]
            feed.spec = spec
            feed.backlog.set_rules(rules)
            return
        name = spec.name
        backlog = Backlog(
            rules,
            self._session,
            lambda entry: self._record(name, entry),
            lambda message, failures: self._bury(name, message, failures),
        )
        self.feeds[name] = ActiveSubscription(spec, backlog, filters.parse_filter(spec.filter))

    def _record(self, subscription: str, entry: Entry) -> None:
        self.ledger.put_entry(subscription, entry)
        self.touch(self.feeds[subscription])

    def _bury(self, subscription: str, message: PublishedMessage, failures: int) -> bool:
        """Publish a dead letter; False when its topic is gone."""
        dead_letter_topic = self.feeds[subscription].spec.dead_letter_policy.dead_letter_topic
        if dead_letter_topic not in self.topics:
            return False
        letter = PubsubMessage(
            data=message.proto.data,
            attributes={
                **message.proto.attributes,
                f"{DEAD_LETTER_ATTRIBUTE_PREFIX}DeliveryCount": str(failures),
                f"{DEAD_LETTER_ATTRIBUTE_PREFIX}Subscription": short_name(subscription),
                f"{DEAD_LETTER_ATTRIBUTE_PREFIX}SubscriptionProject": project_of(subscription),
                f"{DEAD_LETTER_ATTRIBUTE_PREFIX}TopicPublishTime": message.published.isoformat(
                    timespec="milliseconds"
                ),
            },
            ordering_key=message.proto.ordering_key,
        )
        self.publish(dead_letter_topic, [letter], self.clock.now())
        return True

    def _replay(self) -> None:
        rows = self.ledger.read()
        counters = {key: int(value) for key, value in rows.get("counter", [])}
        self._sequence = counters.get("sequence", 0)
        # Acknowledgement ids carry the session: one from before a restart is never taken for new.
        self._session = counters.get("session", 0) + 1
        for name, value in rows.get("topic", []):
            self.topics[name] = Topic.FromString(value)
        for name, value in rows.get("schema", []):
            self.schemas[name] = Schema.FromString(value)
        for _, value in rows.get("subscription", []):
            self._govern(Subscription.FromString(value))
        for name, row in entry_rows(rows.get("entry", [])):
            message = PublishedMessage.decode(row.message)
            self.feeds[name].backlog.restore(message, row.failures, row.due, row.acked)
        for name, value in rows.get("snapshot", []):
            self.snapshots[name] = SnapshotState(Snapshot.FromString(value))
        for key, value in rows.get("held", []):
            message = PublishedMessage.decode(value)
            self.snapshots[key.rpartition("/")[0]].messages[message.sequence] = message
        self.policies = dict(rows.get("policy", []))
        self.ledger.put("counter/session", str(self._session).encode())
        self.ledger.commit()
