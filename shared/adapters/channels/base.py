"""The clients that channels are reached by, and the form of a sender of one kind of channel."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Protocol

import httpx

from shared.adapters.http import send_request
from shared.adapters.prober import HostResolver
from shared.core.codec import FrozenStruct
from shared.core.errors import Rejected, Unavailable
from shared.domain.notices.message import NoticeMessage
from shared.domain.notices.push_progress import PushResult
from shared.domain.policy.channels import Channel
from shared.ports.identity import SecretValues
from shared.ports.messaging import NoticeFields


class PushChannel(Protocol):
    """Messages to devices."""

    def send_to_topic(self, topic: str, worded: NoticeMessage, key: str) -> None:
        """Hand the words over. Raises: Rejected, Unavailable."""

    def send_to_devices(self, tokens: Sequence[str], worded: NoticeMessage, key: str) -> list[PushResult]:
        """Hand the words to each of some devices. Raises: Rejected, Unavailable, for all alike."""


class ChannelClients(FrozenStruct):
    """The clients and settings that the senders share."""

    resolve: HostResolver
    """Returns the address of the embedded cloud that stands in for a host, or None."""
    secrets: SecretValues | None
    """None in a rehearsal."""
    push: Mapping[str, PushChannel]
    """By system."""

    def read_secret(self, channel: Channel) -> str:
        """Return the value of the channel's secret; an empty text in a rehearsal."""
        return self.secrets.read(channel.secret or "") if self.secrets is not None else ""


Send = Callable[[ChannelClients, Channel, str, NoticeFields], None]
"""Sends one notice to a channel; the text is the key by which a repeat is recognised.

Raises: Rejected for an answer that will not change, Unavailable for any other.
"""


def exchange(name: str, retryable: Container[int], *request: Any, **more: Any) -> bytes:
    """Send a request as `send_request` takes it; return what is read of a good answer.

    Raises: Rejected for an answer that will not change, Unavailable for any other, such as one of
    the client errors that pass by themselves (`retryable`).
    """
    try:
        status, body, _ = send_request(*request, **more)
    except (TimeoutError, httpx.TransportError) as error:
        raise Unavailable(f"{name}: {type(error).__name__}") from error
    if 200 <= status < 300:
        return body
    kind = Rejected if 400 <= status < 500 and status not in retryable else Unavailable
    raise kind(f"{name} answered {status}")


def message_of(notice: NoticeFields) -> NoticeMessage:
    """Return the words of a notice."""
    return NoticeMessage(notice["subject"], notice["body"])
