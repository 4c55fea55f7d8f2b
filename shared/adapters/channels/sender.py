"""Notices on their way to people."""

from collections.abc import Mapping, Sequence

from shared.adapters.channels import apprise
from shared.adapters.channels.base import ChannelClients, PushChannel, message_of
from shared.adapters.channels.registry import SENDERS
from shared.adapters.prober import HostResolver, resolve_publicly
from shared.domain.notices.push_progress import PushResult
from shared.domain.policy.channels import Channel, ChannelKind
from shared.ports.identity import SecretValues
from shared.ports.messaging import NoticeFields


class ChannelSender:
    """A Sender for the kinds of channel in the registry.

    Without `secrets` it is a rehearsal: only web hooks are called, at the address that `resolve`
    returns for an embedded cloud, and nobody is notified.
    """

    def __init__(
        self,
        resolve: HostResolver = resolve_publicly,
        secrets: SecretValues | None = None,
        push: Mapping[str, PushChannel] | None = None,
    ) -> None:
        """`push` by system."""
        self._clients = ChannelClients(resolve, secrets, push or {})

    def send(self, channel: Channel, key: str, notice: NoticeFields) -> None:
        if self._clients.secrets is None and channel.kind is not ChannelKind.WEBHOOK:
            return  # a rehearsal
        SENDERS[channel.kind](self._clients, channel, key, notice)

    def send_each(
        self, channel: Channel, key: str, notice: NoticeFields, tokens: Sequence[str]
    ) -> list[PushResult]:
        """By push to devices, or by apprise to addresses."""
        if self._clients.secrets is None:  # a rehearsal
            return [PushResult.TAKEN] * len(tokens)
        if channel.kind is ChannelKind.APPRISE:
            return apprise.send_each(self._clients, channel, notice, tokens)
        return self._clients.push[notice["system"]].send_to_devices(tokens, message_of(notice), key)
