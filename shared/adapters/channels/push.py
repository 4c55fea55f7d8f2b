"""Push messages of Firebase Cloud Messaging to the subscribers of a topic."""

from collections.abc import Mapping
from typing import Any

from shared.adapters.channels.base import ChannelClients, message_of
from shared.domain.policy.channels import Channel


def send(clients: ChannelClients, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
    """Send the words to the channel's topic. Raises: Rejected, Unavailable."""
    clients.push[notice["system"]].send_to_topic(channel.target or "", message_of(notice), key)
