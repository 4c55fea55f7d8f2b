"""People, as far as the product can reach them."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from shared.core.errors import Rejected, Unavailable
from shared.domain.notices.push_progress import PushResult
from shared.domain.policy.channels import Channel, ChannelKind
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook


class SentNotice(Struct, frozen=True):
    """One notice that arrived."""

    channel: str
    key: str
    notice: dict[str, Any]


class PushedMessage(Struct, frozen=True):
    """One message that arrived at a device."""

    token: str
    sent: SentNotice


class FakeSender:
    """A Sender that remembers; verbs for the hook: sender.send, .send_each.

    Channels in `down` do not answer.
    """

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.down: set[str] = set()
        self.sent: list[SentNotice] = []
        """What arrived, in order."""
        self.pushed: list[PushedMessage] = []
        """The same at devices."""
        self.fates: dict[str, PushResult] = {}
        """By token, where it does not take what it is told."""

    def send(self, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
        """Hand over one notice. Raises: Unavailable while the channel is down."""
        with ask_hook_around(self.hook, "sender.send"):
            if channel.name in self.down:
                raise Unavailable(f"{channel.name} does not answer")
            self.sent.append(SentNotice(channel.name, key, dict(notice)))

    def send_each(
        self, channel: Channel, key: str, notice: Mapping[str, Any], tokens: Sequence[str]
    ) -> list[PushResult]:
        """Each by its own fate. Raises: Unavailable, while the channel is down too; Rejected."""
        with ask_hook_around(self.hook, "sender.send_each"):
            fates = [self.fates.get(token, PushResult.TAKEN) for token in tokens]
            if channel.kind is ChannelKind.APPRISE:  # it says of each that it was not taken, never why
                fates = [PushResult.NONE] * len(tokens) if channel.name in self.down else fates
            elif channel.name in self.down or {*fates} == {PushResult.NONE}:
                raise Unavailable(f"{channel.name} does not answer")
            if {*fates} == {PushResult.REFUSED}:
                raise Rejected(f"{channel.name} refuses")
            sent = SentNotice(channel.name, key, dict(notice))
            taken = zip(tokens, fates, strict=True)
            self.pushed += [PushedMessage(token, sent) for token, fate in taken if fate is PushResult.TAKEN]
            return fates
