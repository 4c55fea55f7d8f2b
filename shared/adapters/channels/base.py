"""The clients that channels are reached by, and the form of a sender of one kind of channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from shared.adapters.prober import Resolve
from shared.domain.notices.message import Message
from shared.domain.notices.push_progress import PushFate
from shared.domain.policy.channels import Channel
from shared.ports.identity import SecretValues


class Push(Protocol):
    """Messages to devices."""

    def tell(self, topic: str, worded: Message, key: str) -> None:
        """Hand the words over. Raises: Rejected, Unavailable."""
        ...

    def tell_each(self, tokens: Sequence[str], worded: Message, key: str) -> list[PushFate]:
        """Hand the words to each of some devices. Raises: Rejected, Unavailable, for all alike."""
        ...


class ChannelClients(Struct, frozen=True):
    """The clients and settings that the senders share."""

    resolve: Resolve
    """Returns the address of the embedded cloud that stands in for a host, or None."""
    secrets: SecretValues | None
    """None in a rehearsal."""
    push: Mapping[str, Push]
    """By system."""
    statuspage: str
    """The base address of Atlassian's API."""

    def read_secret(self, channel: Channel) -> str:
        """Return the value of the channel's secret; an empty text in a rehearsal."""
        return self.secrets.read(channel.secret or "") if self.secrets is not None else ""


Send = Callable[[ChannelClients, Channel, str, Mapping[str, Any]], None]
"""Sends one notice to a channel; the text is the key by which a repeat is recognised.

Raises: Rejected for an answer that will not change, Unavailable for any other.
"""


def message_of(notice: Mapping[str, Any]) -> Message:
    """Return the words of a notice."""
    return Message(notice["subject"], notice["body"])
