"""What feeds a trigger with events of documents: a push subscription of Pub/Sub.

One whose push is taken away keeps what comes, and lets it be pulled: "effectively pausing the
subscription" (https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/\
modifyPushConfig, read 2026-11-27). `Feeds` is kept by shared/gcp and by the fakes of the tests, as
shared/ports.py says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from msgspec import Struct

NO_PUSH: Final = b""
"""The push configuration of a subscription that pushes nothing."""
AT_ONCE: Final = 1000
"""Messages of one pull (https://cloud.google.com/pubsub/quotas, read 2026-11-27)."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Feed(Struct, frozen=True):
    """One subscription."""

    push: bytes
    """Its push configuration, verbatim."""
    keeps_for: timedelta
    """So long it keeps what nobody has acknowledged."""
    is_dead_lettered: bool = False
    """Whether what is delivered too often goes elsewhere."""
    by_hand: str = ""
    """The flags of `gcloud pubsub subscriptions modify-push-config` that let it push so."""


class Told(Struct, frozen=True):
    """One change of one document, as an event tells of it."""

    database: str
    path: str
    at: datetime
    """When it was written so; of one that is gone, when that was written which stood there."""
    is_gone: bool = False

    @property
    def key(self) -> int:
        """What it is known by, in 8 bytes that name nobody."""
        micros = (self.at - _EPOCH) // timedelta(microseconds=1)
        told = f"{self.database}\n{self.path}\n{micros}\n{self.is_gone}"
        digest = hashlib.blake2b(told.encode(), digest_size=8).digest()
        return int.from_bytes(digest, signed=True)


class Message(Struct, frozen=True):
    """One message in our hands."""

    handle: str
    """By which it is acknowledged, held or released."""
    told: Told | None
    """None: it is no event of a document that we understand."""


class Feeds(Protocol):
    """The subscriptions that feed triggers, by their full names, of whatever project."""

    def feed(self, name: str) -> Feed:
        """One as it is. Raises: Gone, where there is none."""
        ...

    def set_push(self, name: str, push: bytes) -> None:
        """Let it push so; NO_PUSH: not at all. Nothing makes it conditional.

        Raises: Rejected, also for a push as an account that we may not act as; Ambiguous.
        """
        ...

    def pull(self, name: str) -> list[Message]:
        """Some of the messages that nobody has in hand; empty when there seem to be none now.

        Whoever pulls has them in hand for as long as the subscription says.
        """
        ...

    def acknowledge(self, name: str, handles: Sequence[str]) -> None:
        """These messages are kept no longer."""
        ...

    def hold(self, name: str, handles: Sequence[str], span: timedelta) -> None:
        """These stay in our hands so much longer; none at all: they are in nobody's any more."""
        ...
