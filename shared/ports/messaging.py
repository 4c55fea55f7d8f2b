"""Ports of messaging: topics, dead letters, channels (errors: shared/ports/groups.py)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from shared.core.codec import FrozenStruct
from shared.domain.notices.message import NoticeMessage
from shared.domain.notices.push_progress import PushResult
from shared.domain.policy.channels import Channel

NoticeFields = Mapping[str, Any]
"""What a channel is handed of a notice, by name: its words, and facts for the team."""


class Bus(Protocol):
    """Topics: Pub/Sub."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """The message's id, once the service keeps it."""


class DeadLetter(FrozenStruct):
    """A message that nobody could act on, as it is kept."""

    id: str
    """Of the message that it was, or of the letter where Pub/Sub itself gave the message up."""
    handle: str
    source: str
    """The topic it came from, `projects/P/topics/T`; "" when nothing tells."""
    reason: str
    data: bytes
    attributes: dict[str, str]
    """Those of the message itself that were kept, and since when it was on its way; without what
    else was added to keep it."""
    published_at: datetime
    """Since when it was on its way; where nothing tells, when it became a letter."""


class DeadLetters(Protocol):
    """Dead letters, for a person who brings them back: Pub/Sub."""

    def pull(self, limit: int) -> list[DeadLetter]:
        """Some of the letters that nobody has in hand; empty when there are none now.

        Whoever pulls has them in hand, for minutes. One that is in nobody's hand any more may be
        pulled again, by another handle, even if it was acknowledged by the old one.
        """

    def resend(self, letter: DeadLetter) -> None:
        """Publish the letter where it came from. Raises: Rejected when there is no such topic."""

    def acknowledge(self, letter: DeadLetter) -> None:
        """The letter is kept no longer."""

    def release(self, letters: Iterable[DeadLetter]) -> None:
        """The letters are in nobody's hand any more."""


class NoticeRenderer(Protocol):
    """Templates of notices."""

    def render(self, template: str, facts: Mapping[str, Any], language: str = "") -> NoticeMessage:
        """The wording by that template, in that language if there is one; values are only read."""


class Sender(Protocol):
    """A way to tell people."""

    def send(self, channel: Channel, key: str, notice: NoticeFields) -> None:
        """Send a notice; `key` marks a repeat. Raises: Unavailable (retry), Rejected (never)."""

    def send_each(
        self, channel: Channel, key: str, notice: NoticeFields, tokens: Sequence[str]
    ) -> list[PushResult]:
        """The same for each of some devices or addresses, at most BATCH: what became of each.

        Raises: Unavailable, when a service gave no answer to any; Rejected, when all refused.
        """
