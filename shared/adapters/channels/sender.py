"""Notices on their way to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec

from shared.adapters.channels.apprise import tell
from shared.adapters.channels.atlassian_statuspage import BASE, Statuspage
from shared.adapters.http import exchange
from shared.adapters.prober import Resolve, resolve_publicly
from shared.core.errors import Rejected, Unavailable
from shared.domain.notices.message import Message
from shared.domain.notices.notice import stage
from shared.domain.notices.push_progress import PushFate
from shared.domain.policy.channels import Channel, ChannelKind
from shared.ports.identity import SecretValues

SEND_SECONDS = 5.0
_LATER = frozenset({408, 429})
"""Time-out and too many requests: the only client errors that pass by themselves."""


class Push(Protocol):
    """Messages to devices."""

    def tell(self, topic: str, worded: Message, key: str) -> None:
        """Hand the words over. Raises: Rejected, Unavailable."""
        ...

    def tell_each(self, tokens: Sequence[str], worded: Message, key: str) -> list[PushFate]:
        """Hand the words to each of some devices. Raises: Rejected, Unavailable, for all alike."""
        ...


class ChannelSender:
    """A Sender for the kinds of channel that a policy may declare.

    Where `resolve` says that an embedded cloud plays a host, that is told instead, and what has an
    address in a secret is told to nobody: a rehearsal reaches no one.
    """

    def __init__(
        self,
        resolve: Resolve = resolve_publicly,
        secrets: SecretValues | None = None,
        push: Mapping[str, Push] | None = None,
        statuspage: str = BASE,
    ) -> None:
        """`push` by system."""
        self._resolve = resolve
        self._secrets = secrets
        self._push = push or {}
        self._statuspage = statuspage

    def send(self, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
        """Hand over one notice; where a channel has a key for repeats, it sees `key`.

        A recording channel needs nothing more: the notice's own document is the record.
        Raises: Rejected for an answer that will not change, Unavailable for any other.
        """
        if channel.kind is ChannelKind.WEBHOOK:
            self._post(channel, key, msgspec.json.encode(notice))
        if channel.kind in (ChannelKind.RECORDING, ChannelKind.WEBHOOK):
            return
        if self._secrets is None:  # a rehearsal
            return
        worded = Message(notice["subject"], notice["body"])
        if channel.kind is ChannelKind.APPRISE:
            tell(self._secrets.read(channel.secret or ""), worded, channel.name)
        elif channel.kind is ChannelKind.PUSH:
            self._push[notice["system"]].tell(channel.target or "", worded, key)
        else:
            secret = self._secrets.read(channel.secret or "")
            page = Statuspage(channel.target or "", secret, self._statuspage)
            page.tell(notice["incident"], stage(notice["event"]), worded, key)

    def send_each(
        self, channel: Channel, key: str, notice: Mapping[str, Any], tokens: Sequence[str]
    ) -> list[PushFate]:
        """As the port says, by push, the one way that leads to a user."""
        if self._secrets is None:  # a rehearsal
            return [PushFate.TAKEN] * len(tokens)
        worded = Message(notice["subject"], notice["body"])
        return self._push[notice["system"]].tell_each(tokens, worded, key)

    def _post(self, channel: Channel, key: str, content: bytes) -> None:
        if channel.url is None:
            raise Rejected(f"channel {channel.name} has no address")
        url = urlsplit(channel.url)
        headers = {
            "Host": url.netloc.rpartition("@")[2],
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        played = self._resolve(url.hostname or "")
        if played is not None:
            url = url._replace(scheme="http", netloc=played)
        _judge(channel, _answered(channel, url.geturl(), headers, content))


def _answered(channel: Channel, url: str, headers: Mapping[str, str], content: bytes) -> int:
    try:
        status, *_ = exchange("POST", url, seconds=SEND_SECONDS, headers=headers, content=content)
    except (TimeoutError, httpx.TransportError) as error:
        raise Unavailable(f"channel {channel.name}: {type(error).__name__}") from error
    return status


def _judge(channel: Channel, status: int) -> None:
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in _LATER:
        raise Rejected(f"channel {channel.name} answered {status}")
    raise Unavailable(f"channel {channel.name} answered {status}")
