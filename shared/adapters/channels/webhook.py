"""Notices as JSON to a web hook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from shared.adapters.channels.base import ChannelClients
from shared.adapters.http import send_request
from shared.core.errors import Rejected, Unavailable
from shared.domain.policy.channels import Channel

SEND_TIMEOUT_SECONDS = 5.0
_LATER = frozenset({408, 429})
"""Time-out and too many requests: the only client errors that pass by themselves."""


def send(clients: ChannelClients, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
    """Post the notice; the key goes along as `Idempotency-Key`.

    Where an embedded cloud stands in for the host, that one gets it. Raises: Rejected, Unavailable.
    """
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
    _raise_for_status(channel, _post_content(channel, url.geturl(), headers, msgspec.json.encode(notice)))


def _post_content(channel: Channel, url: str, headers: Mapping[str, str], content: bytes) -> int:
    try:
        status, *_ = send_request("POST", url, seconds=SEND_TIMEOUT_SECONDS, headers=headers, content=content)
    except (TimeoutError, httpx.TransportError) as error:
        raise Unavailable(f"channel {channel.name}: {type(error).__name__}") from error
    return status


def _raise_for_status(channel: Channel, status: int) -> None:
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in _LATER:
        raise Rejected(f"channel {channel.name} answered {status}")
    raise Unavailable(f"channel {channel.name} answered {status}")
