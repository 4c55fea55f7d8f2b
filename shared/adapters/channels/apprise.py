"""Chat, mail, text messages and pagers, by the addresses that apprise knows."""

import logging
from collections.abc import Sequence
from urllib.parse import quote

from shared.adapters.channels.base import ChannelClients, message_of
from shared.core.errors import Rejected, Unavailable
from shared.domain.notices.message import NoticeMessage
from shared.domain.notices.push_progress import PushResult
from shared.domain.policy.channels import Channel
from shared.ports.messaging import NoticeFields

ADDRESS_PLACEHOLDER = "{address}"


def send(clients: ChannelClients, channel: Channel, key: str, notice: NoticeFields) -> None:
    """Send the words to the addresses in the channel's secret. Raises: Rejected, Unavailable."""
    send_message(clients.read_secret(channel), message_of(notice), channel.name)


def send_each(
    clients: ChannelClients, channel: Channel, notice: NoticeFields, addresses: Sequence[str]
) -> list[PushResult]:
    """Send the words to each, in the place of `{address}` in the secret. Raises: as `send`."""
    secret = clients.read_secret(channel)
    if ADDRESS_PLACEHOLDER not in secret:
        raise Rejected(f"channel {channel.name}: its secret does not contain {ADDRESS_PLACEHOLDER}")
    return [_send_to(secret, address, message_of(notice), channel.name) for address in addresses]


def _send_to(secret: str, address: str, worded: NoticeMessage, name: str) -> PushResult:
    try:
        send_message(secret.replace(ADDRESS_PLACEHOLDER, quote(address, safe="")), worded, name)
    except (Rejected, Unavailable) as failure:
        return PushResult.GONE if isinstance(failure, Rejected) else PushResult.NONE
    return PushResult.TAKEN


def send_message(addresses: str, worded: NoticeMessage, name: str) -> None:
    """Hand the words to every address, one a line, as plain text.

    Whoever knows an address may write to it, so no error quotes one. Where one of several does not
    take it, all are told again: the words say that it may be a repeat. apprise (2.3.0) says whether
    all have taken it, and not why one has not; each call of its has a time-out of 4 s.
    Raises: Rejected (not one of its addresses), Unavailable.
    """
    import apprise

    logging.getLogger("apprise").propagate = False  # it logs addresses
    known = apprise.Apprise()
    for line in addresses.split():
        if not known.add(line):
            raise Rejected(f"channel {name}: its secret holds no address that apprise knows")
    if not len(known):
        raise Rejected(f"channel {name}: its secret is empty")
    if not known.notify(title=worded.subject, body=worded.body, body_format=apprise.NotifyFormat.TEXT):
        raise Unavailable(f"channel {name}: not taken")
