"""The threads behind push: one that watches every subscription, and a few that carry messages."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.core.clock import CloudClock
from local.services.pubsub.broker import Broker
from local.services.pubsub.delivery import deliveries
from local.services.pubsub.delivery.entries import DeliveryLease, FlowControl
from local.services.pubsub.delivery.push import PushRequest, PushSender
from local.services.pubsub.messages import Subscription
from local.services.pubsub.statuses import ServiceEnded

IDLE_WAIT = timedelta(hours=1)
"""How long to wait when nothing is due; whatever happens wakes the wait."""
CLOSE_LIMIT_SECONDS = 1.0
"""Of wall time, for all threads together to notice that it is over."""


@dataclass(slots=True, eq=False)
class _InFlightPushes:
    """The pushes of one subscription that are in flight, by ack id."""

    flow: FlowControl
    pushes: dict[str, PushRequest] = field(default_factory=dict)


class PushDispatcher:
    """Keeps time for all subscriptions and pushes the messages of those with an endpoint.

    At most `concurrency` pushes of one subscription are in flight. One whose lease has ended (the
    ack deadline, a seek, the subscription's removal) is cut off.
    """

    def __init__(self, broker: Broker, clock: CloudClock, poster: PushSender, concurrency: int) -> None:
        self._broker = broker
        self._clock = clock
        self._poster = poster
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._landed = threading.Condition(self._lock)
        self._flights: dict[str, _InFlightPushes] = {}
        self._carriers: set[threading.Thread] = set()
        self._watcher = threading.Thread(target=self._watch, name="pubsub-courier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._watcher.start()

    def settle(self, limit_seconds: float) -> bool:
        """Wait until every push that is due by now has been answered; False at the limit."""
        with self._landed:
            return self._landed.wait_for(
                lambda: not self._carriers and not deliveries.is_push_due(self._broker), limit_seconds
            )

    def close(self) -> None:
        """Cut off what is in flight, once the broker is closed, and end the threads."""
        give_up_at = time.monotonic() + CLOSE_LIMIT_SECONDS
        with self._lock:
            all_flights = list(self._flights.values())
            pushes = [push for flights in all_flights for push in flights.pushes.values()]
            threads = [self._watcher, *self._carriers]
        for push in pushes:
            push.abort()
        for thread in threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))

    def _watch(self) -> None:
        with self._broker.watch() as changed, suppress(ServiceEnded):
            while True:
                # Cleared before looking: what happens while it looks is looked at again.
                changed.clear()
                due = self._look()
                self._clock.wait(due or self._clock.now() + IDLE_WAIT, changed)

    def _look(self) -> datetime | None:
        """Bring every subscription up to now; when to look again, if nothing happens."""
        dues = []
        with self._broker.change() as now:
            for feed in self._broker.feeds.values():
                feed.backlog.settle(now)
                due = feed.backlog.next_due()
                if due is not None:
                    dues.append(due)
            names = list(self._broker.feeds)
        self._cut_off_lost()
        for name in names:
            self._send_out(name)
        return min(dues, default=None)

    def _send_out(self, subscription: str) -> None:
        """Start a carrier for each message that may be pushed now."""
        with self._lock:
            flights = self._flights.setdefault(
                subscription, _InFlightPushes(FlowControl(most_messages=self._concurrency))
            )
        while True:
            with self._lock:  # a message that is leased has its carrier: `settle` never sees neither
                taken = deliveries.lease_push_message(self._broker, subscription, flights.flow)
                if taken is None:
                    return
                thread = threading.Thread(
                    target=self._carry, args=(flights, *taken), name="pubsub-push", daemon=True
                )
                self._carriers.add(thread)
            thread.start()

    def _carry(self, flights: _InFlightPushes, lease: DeliveryLease, spec: Subscription) -> None:
        """Push a message, and then the next one, until there is none."""
        taken: tuple[DeliveryLease, Subscription] | None = (lease, spec)
        try:
            with suppress(ServiceEnded):
                while taken is not None:
                    self._push(flights, *taken)
                    taken = deliveries.lease_push_message(self._broker, spec.name, flights.flow)
        finally:
            with self._lock:
                self._carriers.discard(threading.current_thread())
                self._landed.notify_all()

    def _push(self, flights: _InFlightPushes, lease: DeliveryLease, spec: Subscription) -> None:
        push = self._poster.push(spec.push_config.push_endpoint)
        with self._lock:
            flights.pushes[lease.ack_id] = push
        try:
            # Registered first: whoever closes the broker either finds the push or is seen here.
            if self._broker.closed:
                return
            message = lease.entry.message.proto.message_id
            with self._clock.at_work.pushed(push.endpoint, message):
                acknowledged = self._poster.deliver(lease, spec, push)
        finally:
            with self._lock:
                del flights.pushes[lease.ack_id]
        deliveries.record_push_answer(self._broker, spec.name, lease.ack_id, acknowledged)

    def _cut_off_lost(self) -> None:
        with self._lock:
            flying = [
                (name, ack_id, push)
                for name, flights in self._flights.items()
                for ack_id, push in flights.pushes.items()
            ]
        with self._broker.change():
            feeds = self._broker.feeds
            lost = [
                push
                for name, ack_id, push in flying
                if name not in feeds or not feeds[name].backlog.holds(ack_id)
            ]
            specs = {name: feed.spec for name, feed in feeds.items()}
        for push in lost:
            push.abort()
        for name, _, push in flying:
            if name in specs and push.endpoint != specs[name].push_config.push_endpoint:
                self._clock.at_work.forget(push.endpoint)
