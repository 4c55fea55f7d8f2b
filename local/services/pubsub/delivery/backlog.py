"""What a subscription still has to deliver: leases, redelivery, ordering, retention, seeking.

No clock, no lock, no journal: the time is passed in, and every change that must outlive the process
is handed to `record`.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from local.services.pubsub.delivery.entries import (
    DeliveryLease,
    DeliveryState,
    Entry,
    FlowControl,
    OrderingQueue,
    PublishedMessage,
)

RETENTION_CHECK_INTERVAL = timedelta(minutes=1)
"""How often outlived messages are looked for: a look reads the whole backlog."""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class DeliveryRules:
    """What of a subscription's configuration governs delivery."""

    ordered: bool
    retention: timedelta
    acked_retention: timedelta
    """How long acknowledged messages are kept; zero: not at all."""
    minimum_backoff: timedelta
    maximum_backoff: timedelta
    most_attempts: int
    """Deliveries after which a message is dead; 0: it never is."""

    def backoff(self, failures: int) -> timedelta:
        """The pause after the nth failure: the minimum, doubled each time up to the maximum."""
        doublings = min(failures - 1, 32)
        doubled: timedelta = self.minimum_backoff * 2**doublings
        return min(doubled, self.maximum_backoff)


class Backlog:
    """The messages of one subscription, each in one standing.

    `record` is told of every entry whose durable part changed. `bury` is offered each message that
    ran out of attempts; when it answers False, delivery goes on.
    """

    def __init__(
        self,
        rules: DeliveryRules,
        session: int,
        record: Callable[[Entry], None],
        bury: Callable[[PublishedMessage, int], bool],
    ) -> None:
        self.rules = rules
        self._session = session
        self._record = record
        self._bury = bury
        self._entries: dict[int, Entry] = {}
        self._leases: dict[str, DeliveryLease] = {}
        self._lines: dict[str, OrderingQueue] = {}
        # Heaps hold stale items too: each is compared with its entry's standing when it comes up.
        self._ready: list[tuple[int, int, Entry]] = []
        self._delayed: list[tuple[datetime, int, Entry]] = []
        self._deadlines: list[tuple[datetime, int, DeliveryLease]] = []
        self._tick = count()
        self._retention_look = datetime.min.replace(tzinfo=UTC)

    def set_rules(self, rules: DeliveryRules) -> None:
        """Follow other rules from now on."""
        self.rules = rules
        self._retention_look = datetime.min.replace(tzinfo=UTC)

    def add(self, message: PublishedMessage, due: datetime | None = None, copies: int = 0) -> None:
        """A new message waits, perhaps until it is due, to be delivered that many times more."""
        entry = Entry(message, copies=copies)
        if due is not None:
            self._delay(entry, due)
        self._enter(entry)
        self._record(entry)

    def restore(self, message: PublishedMessage, failures: int, due: datetime | None, acked: bool) -> None:
        """An entry as it was recorded before a restart; in ascending order of sequence."""
        entry = Entry(message, failures)
        if acked:
            entry.standing = DeliveryState.ACKED
        elif due is not None:
            self._delay(entry, due)
        self._enter(entry)

    def take(
        self, now: datetime, hold: timedelta, flow: FlowControl, most: int, most_bytes: int
    ) -> list[DeliveryLease]:
        """Lease what is ready, oldest first, until `hold` from now; none beyond the flow's room.

        At most `most` messages, ending with the first that reaches `most_bytes`.
        """
        leases: list[DeliveryLease] = []
        opened: set[str] = set()
        size = 0
        while self._ready and flow.open() and len(leases) < most and size < most_bytes:
            entry = heapq.heappop(self._ready)[-1]
            if not self._is_deliverable(entry, opened):
                continue
            leases.append(self._lease(entry, now + hold, flow))
            size += len(entry.message.encoded)
            line = self._line(entry)
            if line:
                line.hand_out()
                opened.add(entry.message.proto.ordering_key)
                self._offer(line.waiting[0] if line.waiting else None)
        return leases

    def acknowledge(self, ack_id: str) -> None:
        """The message is done; not so when the lease has ended: then it is delivered again."""
        lease = self._leases.get(ack_id)
        if lease is None:
            return
        if lease.entry.copies:
            lease.entry.copies -= 1
            self._put_back(lease.entry)
            self._make_ready(lease.entry)
        else:
            self._finish(lease.entry)

    def extend(self, ack_id: str, deadline: datetime) -> None:
        """Move a lease's deadline; a lease that has ended is left alone."""
        lease = self._leases.get(ack_id)
        if lease is not None:
            lease.seen = True
            lease.deadline = deadline
            heapq.heappush(self._deadlines, (deadline, next(self._tick), lease))

    def refuse(self, ack_id: str, now: datetime) -> None:
        """The delivery failed: again after the back-off, or dead when it was the last."""
        lease = self._leases.get(ack_id)
        if lease is not None:
            self._fail(lease.entry, now)

    def abandon(self, flow: FlowControl) -> None:
        """Return what was sent on a flow and never seen there: the delivery did not happen."""
        unseen = [lease for lease in self._leases.values() if lease.flow is flow and not lease.seen]
        for lease in unseen:
            # Of an ordering key, an earlier one has taken the later ones back with it.
            if self.holds(lease.ack_id):
                self._put_back(lease.entry)
                self._make_ready(lease.entry)

    def is_ready(self) -> bool:
        """Would `take` hand something out?"""
        while self._ready and not self._is_deliverable(self._ready[0][-1], set()):
            heapq.heappop(self._ready)
        return bool(self._ready)

    def holds(self, ack_id: str) -> bool:
        """Is this lease still running?"""
        return ack_id in self._leases

    def settle(self, now: datetime) -> None:
        """Bring the backlog to `now`: deadlines that passed, back-offs and retention that ended."""
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, _, lease = heapq.heappop(self._deadlines)
            if lease.entry.lease is lease and lease.deadline == deadline:
                self._fail(lease.entry, now)
        while self._delayed and self._delayed[0][0] <= now:
            due, _, entry = heapq.heappop(self._delayed)
            if entry.standing is DeliveryState.DELAYED and entry.due == due:
                self._make_ready(entry)
        if now >= self._retention_look:
            self._drop_outlived(now)

    def next_due(self) -> datetime | None:
        """When `settle` has something to do next; None: not until something else happens."""
        while self._deadlines:
            deadline, _, lease = self._deadlines[0]
            if lease.entry.lease is lease and lease.deadline == deadline:
                break
            heapq.heappop(self._deadlines)
        while self._delayed:
            due, _, entry = self._delayed[0]
            if entry.standing is DeliveryState.DELAYED and entry.due == due:
                break
            heapq.heappop(self._delayed)
        heads = [heap[0][0] for heap in (self._deadlines, self._delayed) if heap]
        return min(heads, default=None)

    def unacknowledged(self) -> list[PublishedMessage]:
        """Every message that is not done, oldest first."""
        return [
            entry.message for entry in self._entries.values() if entry.standing is not DeliveryState.ACKED
        ]

    def seek(self, wanted: Callable[[PublishedMessage], bool], held: Iterable[PublishedMessage] = ()) -> None:
        """Make exactly the wanted messages undelivered, of those kept here or `held` elsewhere.

        Running leases end; attempts are counted anew.
        """
        entries = {message.sequence: Entry(message) for message in held} | self._entries
        self.clear()
        for _, entry in sorted(entries.items()):
            if wanted(entry.message):
                entry.standing, entry.failures, entry.due = DeliveryState.READY, 0, None
                self._enter(entry)
            elif self.rules.acked_retention:
                entry.standing = DeliveryState.ACKED
                self._enter(entry)
            else:
                entry.standing = DeliveryState.GONE
            self._record(entry)

    def discard(self) -> None:
        """Let go of everything, for good."""
        for entry in self._entries.values():
            entry.standing = DeliveryState.GONE
            self._record(entry)
        self.clear()

    def clear(self) -> None:
        """End all leases and empty the queues; nothing is recorded."""
        for lease in list(self._leases.values()):
            self._end_lease(lease.entry)
        self._entries = {}
        self._lines = {}
        self._ready, self._delayed, self._deadlines = [], [], []

    def _enter(self, entry: Entry) -> None:
        self._entries[entry.message.sequence] = entry
        if entry.standing is DeliveryState.ACKED:
            return
        line = self._line(entry)
        if line:
            line.waiting.append(entry)
        if entry.standing is DeliveryState.READY:
            self._make_ready(entry)

    def _line(self, entry: Entry) -> OrderingQueue | None:
        key = entry.message.proto.ordering_key
        return self._lines.setdefault(key, OrderingQueue()) if self.rules.ordered and key else None

    def _is_deliverable(self, entry: Entry, opened: set[str]) -> bool:
        if entry.standing is not DeliveryState.READY:
            return False
        line = self._line(entry)
        if line is None:
            return True
        is_first = bool(line.waiting) and line.waiting[0] is entry
        return is_first and (not line.out or entry.message.proto.ordering_key in opened)

    def _make_ready(self, entry: Entry) -> None:
        entry.standing, entry.due = DeliveryState.READY, None
        line = self._line(entry)
        if line is None or line.head() is entry:
            self._offer(entry)

    def _offer(self, entry: Entry | None) -> None:
        if entry is not None and entry.standing is DeliveryState.READY:
            heapq.heappush(self._ready, (entry.message.sequence, next(self._tick), entry))

    def _delay(self, entry: Entry, due: datetime) -> None:
        entry.standing, entry.due = DeliveryState.DELAYED, due
        heapq.heappush(self._delayed, (due, next(self._tick), entry))

    def _lease(self, entry: Entry, deadline: datetime, flow: FlowControl) -> DeliveryLease:
        ack_id = f"{self._session}-{next(self._tick)}"
        lease = DeliveryLease(ack_id, entry, entry.failures + 1, deadline, flow)
        entry.standing, entry.lease = DeliveryState.LEASED, lease
        flow.take(entry.message)
        self._leases[lease.ack_id] = lease
        heapq.heappush(self._deadlines, (deadline, next(self._tick), lease))
        return lease

    def _end_lease(self, entry: Entry) -> None:
        if entry.lease is not None:
            del self._leases[entry.lease.ack_id]
            entry.lease.flow.give_back(entry.message)
            entry.lease = None

    def _fail(self, entry: Entry, now: datetime) -> None:
        self._put_back(entry)
        entry.failures += 1
        if 0 < self.rules.most_attempts <= entry.failures and self._bury(entry.message, entry.failures):
            self._forget(entry)
            return
        pause = self.rules.backoff(entry.failures)
        if pause:
            self._delay(entry, now + pause)
        else:
            self._make_ready(entry)
        self._record(entry)

    def _put_back(self, entry: Entry) -> None:
        """End the lease; of an ordering key, the leases of all later messages too."""
        self._end_lease(entry)
        line = self._line(entry)
        for later in line.put_back(entry) if line else ():
            self._end_lease(later)
            later.standing = DeliveryState.READY

    def _finish(self, entry: Entry) -> None:
        if not self.rules.acked_retention:
            self._forget(entry)
            return
        self._leave(entry)
        entry.standing = DeliveryState.ACKED
        self._record(entry)

    def _forget(self, entry: Entry) -> None:
        self._leave(entry)
        entry.standing = DeliveryState.GONE
        del self._entries[entry.message.sequence]
        self._record(entry)

    def _leave(self, entry: Entry) -> None:
        """Take an entry out of its lease and its line, and open the line for the next."""
        self._end_lease(entry)
        line = None if entry.standing is DeliveryState.ACKED else self._line(entry)
        if line is None:
            return
        line.remove(entry)
        self._offer(line.head())
        if not line.waiting and not line.out:
            del self._lines[entry.message.proto.ordering_key]

    def _drop_outlived(self, now: datetime) -> None:
        ends = _NEVER
        for entry in list(self._entries.values()):
            is_acked = entry.standing is DeliveryState.ACKED
            kept = self.rules.acked_retention if is_acked else self.rules.retention
            end = entry.message.published + kept
            if end <= now:
                self._forget(entry)
            else:
                ends = min(ends, end)
        soonest = min(self.rules.retention, self.rules.acked_retention or self.rules.retention)
        self._retention_look = max(now + RETENTION_CHECK_INTERVAL, min(ends, now + soonest))
