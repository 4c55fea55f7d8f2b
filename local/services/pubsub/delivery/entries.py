"""One message on its way through one subscription."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from local.services.pubsub.messages import PubsubMessage


@dataclass(frozen=True, slots=True, eq=False)
class PublishedMessage:
    """A published message; `sequence` is its place among all, and its message id."""

    sequence: int
    proto: PubsubMessage
    encoded: bytes
    published: datetime

    @classmethod
    def decode(cls, encoded: bytes) -> PublishedMessage:
        """The message that these bytes of a PubsubMessage stand for."""
        proto = PubsubMessage.FromString(encoded)
        published = proto.publish_time.ToDatetime(tzinfo=UTC)
        return cls(int(proto.message_id), proto, encoded, published)


class DeliveryState(Enum):
    """Where a message stands in a subscription."""

    READY = auto()
    DELAYED = auto()
    LEASED = auto()
    ACKED = auto()
    """Acknowledged, and kept so that a seek can bring it back."""
    GONE = auto()


@dataclass(slots=True, eq=False)
class Entry:
    """A message and its standing; `failures` counts nacks and deadlines that passed."""

    message: PublishedMessage
    failures: int = 0
    standing: DeliveryState = DeliveryState.READY
    due: datetime | None = None
    """When a delayed message becomes ready."""
    lease: DeliveryLease | None = None
    copies: int = 0
    """How often it is delivered again although it was acknowledged."""


@dataclass(slots=True, eq=False)
class DeliveryLease:
    """A delivery that is neither acknowledged nor given back: until its deadline."""

    ack_id: str
    entry: Entry
    attempt: int
    """The number of this delivery: one more than the message has failed."""
    deadline: datetime
    flow: FlowControl
    seen: bool = False
    """Has the subscriber named it since?"""


@dataclass(slots=True, eq=False)
class FlowControl:
    """How much one subscriber holds, and may hold; a limit of 0 is none."""

    most_messages: int = 0
    most_bytes: int = 0
    messages: int = 0
    size_bytes: int = 0

    def open(self) -> bool:
        """Is there room for one more?

        The limit of bytes may be passed by the last message, as the real service may.
        """
        full = 0 < self.most_messages <= self.messages or 0 < self.most_bytes <= self.size_bytes
        return not full

    def take(self, message: PublishedMessage) -> None:
        """Count one in."""
        self.messages += 1
        self.size_bytes += len(message.encoded)

    def give_back(self, message: PublishedMessage) -> None:
        """Count one out."""
        self.messages -= 1
        self.size_bytes -= len(message.encoded)


@dataclass(slots=True, eq=False)
class OrderingQueue:
    """The messages of one ordering key: none is handed out while an earlier batch is out."""

    waiting: deque[Entry] = field(default_factory=deque)
    out: dict[int, Entry] = field(default_factory=dict)

    def head(self) -> Entry | None:
        """The one that may be handed out next; None while some are out, or none wait."""
        return self.waiting[0] if self.waiting and not self.out else None

    def hand_out(self) -> None:
        """Move the first of the waiting to those that are out."""
        entry = self.waiting.popleft()
        self.out[entry.message.sequence] = entry

    def remove(self, entry: Entry) -> None:
        """Forget an entry, wherever it is."""
        if self.out.pop(entry.message.sequence, None) is None:
            self.waiting.remove(entry)

    def put_back(self, entry: Entry) -> list[Entry]:
        """Return an entry to the front, and with it every later one that is out; those."""
        later = [other for place, other in self.out.items() if place > entry.message.sequence]
        for returned in [*reversed(later), entry]:
            del self.out[returned.message.sequence]
            self.waiting.appendleft(returned)
        return later
