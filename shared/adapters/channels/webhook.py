"""Notices as JSON to a web hook."""

from urllib.parse import urlsplit

import msgspec

from shared.adapters.channels.base import ChannelClients, exchange
from shared.core.errors import Rejected
from shared.domain.policy.channels import Channel
from shared.ports.messaging import NoticeFields

SEND_TIMEOUT_SECONDS = 5.0
_LATER = frozenset({408, 429})
"""Time-out and too many requests: the only client errors that pass by themselves."""


def send(clients: ChannelClients, channel: Channel, key: str, notice: NoticeFields) -> None:
    """Post the notice, with `key` as `Idempotency-Key`. Raises: Rejected, Unavailable."""
    if channel.url is None:
        raise Rejected(f"channel {channel.name} has no address")
    url = urlsplit(channel.url)
    headers = {
        "Host": url.netloc.rpartition("@")[2],
        "Content-Type": "application/json",
        "Idempotency-Key": key,
    }
    played = clients.resolve(url.hostname or "")
    if played is not None:
        url = url._replace(scheme="http", netloc=played)
    name, content = f"channel {channel.name}", msgspec.json.encode(notice)
    address, seconds = url.geturl(), SEND_TIMEOUT_SECONDS
    exchange(name, _LATER, "POST", address, seconds=seconds, headers=headers, content=content)
