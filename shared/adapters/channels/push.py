"""Push messages of Firebase Cloud Messaging to the subscribers of a topic."""

from shared.adapters.channels.base import ChannelClients, message_of
from shared.domain.policy.channels import Channel
from shared.ports.messaging import NoticeFields


def send(clients: ChannelClients, channel: Channel, key: str, notice: NoticeFields) -> None:
    """Send the words to the channel's topic. Raises: Rejected, Unavailable."""
    clients.push[notice["system"]].send_to_topic(channel.target or "", message_of(notice), key)
