"""The kinds of channel that a policy may declare, each with what sends a notice to it."""

from shared.adapters.channels import apprise, atlassian_statuspage, push, webhook
from shared.adapters.channels.base import ChannelClients, Send
from shared.core.errors import Rejected
from shared.domain.policy.channels import Channel, ChannelKind
from shared.ports.messaging import NoticeFields


def _refuse_team_mail(clients: ChannelClients, channel: Channel, key: str, notice: NoticeFields) -> None:
    """Refuse: only `UserDelivery` sends mails of Trigger Email. Raises: Rejected."""
    raise Rejected(f"channel {channel.name}: Trigger Email sends to users only")


SENDERS: dict[ChannelKind, Send] = {
    ChannelKind.RECORDING: lambda *notice: None,  # the document of the notice is the record
    ChannelKind.WEBHOOK: webhook.send,
    ChannelKind.APPRISE: apprise.send,
    ChannelKind.PUSH: push.send,
    ChannelKind.STATUSPAGE: atlassian_statuspage.send,
    ChannelKind.TRIGGER_EMAIL: _refuse_team_mail,
}
