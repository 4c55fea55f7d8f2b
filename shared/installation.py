"""What the responders are made of, as it stands in the cloud: a port for a person's eyes.

As the other ports (`shared.ports`), each verb answers within a deadline of its adapter, or raises
Unavailable (nothing is known) or Rejected (the answer is no: not permitted).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from msgspec import Struct


class Subscription(Struct, frozen=True):
    """How the messages of one topic are delivered, or kept."""

    name: str
    """Short name."""
    topic: str
    """`projects/P/topics/T`; `_deleted-topic_` when the topic is gone, or it was detached."""
    endpoint: str = ""
    """Where messages are pushed to; empty: they wait to be pulled."""
    account: str = ""
    """Who Pub/Sub says it is when it pushes; empty: nobody."""
    audience: str = ""
    """Whom its token is for; empty: `endpoint`."""
    ack_deadline: timedelta = timedelta(0)
    kept_for: timedelta = timedelta(0)
    """Messages that nobody acknowledges."""
    backoff: tuple[timedelta, timedelta] | None = None
    """Shortest and longest; None: a message comes again at once."""
    dead_letters: str = ""
    """The topic of what was given up; empty: it is delivered until it is forgotten."""
    attempts: int = 0
    expires: bool = False
    """Whether it goes by itself when it is idle."""
    detached: bool = False


class Deployed(Struct, frozen=True):
    """One function, as it was deployed."""

    name: str
    """Short name."""
    entry_point: str
    active: bool
    uri: str
    """Of the service behind it; empty: it has none."""
    labels: Mapping[str, str] = {}


class Installation(Protocol):
    """The operations project."""

    def topics(self) -> set[str]:
        """The short names of all topics."""
        ...

    def subscriptions(self) -> list[Subscription]:
        """All subscriptions."""
        ...

    def grants(self, topic: str) -> dict[str, tuple[str, ...]]:
        """Whom a topic's own policy gives each role; what the project grants is not in it.

        Raises: Rejected when there is no such topic.
        """
        ...

    def functions(self) -> list[Deployed]:
        """All functions, in every region."""
        ...
