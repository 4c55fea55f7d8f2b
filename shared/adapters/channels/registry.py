"""The kinds of channel that a policy may declare, each with what sends a notice to it."""

from shared.adapters.channels import apprise, atlassian_statuspage, push, webhook
from shared.adapters.channels.base import Send
from shared.domain.policy.channels import ChannelKind

SENDERS: dict[ChannelKind, Send] = {
    ChannelKind.RECORDING: lambda *notice: None,  # the document of the notice is the record
    ChannelKind.WEBHOOK: webhook.send,
    ChannelKind.APPRISE: apprise.send,
    ChannelKind.PUSH: push.send,
    ChannelKind.STATUSPAGE: atlassian_statuspage.send,
    ChannelKind.TRIGGER_EMAIL: lambda *notice: None,  # to users alone: documents of the application
}
