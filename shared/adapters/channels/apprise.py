"""Chat, mail, text messages and pagers, by the addresses that apprise knows."""

from collections.abc import Mapping
from typing import Any

from shared.adapters.channels.base import ChannelClients, message_of
from shared.core.errors import Rejected, Unavailable
from shared.domain.notices.message import NoticeMessage
from shared.domain.policy.channels import Channel


def send(clients: ChannelClients, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
    """Send the words to the addresses in the channel's secret. Raises: Rejected, Unavailable."""
    send_message(clients.read_secret(channel), message_of(notice), channel.name)


def send_message(addresses: str, worded: NoticeMessage, name: str) -> None:
    """Hand the words to every address, one a line, as plain text.

    Whoever knows an address may write to it, so no error quotes one. Where one of several does not
    take it, all are told again: the words say that it may be a repeat. apprise (2.3.0) says whether
    all have taken it, and not why one has not; each call of its has a time-out of 4 s.
    Raises: Rejected (not one of its addresses), Unavailable.
    """
    import apprise

    known = apprise.Apprise()
    for line in addresses.split():
        if not known.add(line):
            raise Rejected(f"channel {name}: its secret holds no address that apprise knows")
    if not len(known):
        raise Rejected(f"channel {name}: its secret is empty")
    taken = known.notify(title=worded.subject, body=worded.body, body_format=apprise.NotifyFormat.TEXT)
    if not taken:
        raise Unavailable(f"channel {name}: not taken")
