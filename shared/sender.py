"""Notices on their way to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from shared.errors import Rejected, Unavailable
from shared.http import exchange
from shared.policy import Channel, ChannelKind

SEND_SECONDS = 5.0
_LATER = frozenset({408, 429})
"""Time-out and too many requests: the only client errors that pass by themselves."""


class ChannelSender:
    """A Sender for the kinds of channel that a policy may declare."""

    def send(self, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
        """Hand over one notice; a web hook sees `key` as the header Idempotency-Key.

        A recording channel needs nothing more: the notice's own document is the record.
        Raises: Rejected for an answer that will not change, Unavailable for any other.
        """
        if channel.kind is ChannelKind.WEBHOOK:
            _post(channel, key, msgspec.json.encode(notice))


def _post(channel: Channel, key: str, content: bytes) -> None:
    if channel.url is None:
        raise Rejected(f"channel {channel.name} has no address")
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    try:
        status = exchange(
            "POST", channel.url, seconds=SEND_SECONDS, headers=headers, content=content
        )
    except (TimeoutError, httpx.TransportError) as error:
        raise Unavailable(f"channel {channel.name}: {type(error).__name__}") from error
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in _LATER:
        raise Rejected(f"channel {channel.name} answered {status}")
    raise Unavailable(f"channel {channel.name} answered {status}")
