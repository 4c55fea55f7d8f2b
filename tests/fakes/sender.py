"""People, as far as the product can reach them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from shared.audience import Channel
from shared.errors import Unavailable
from tests.fakes.hooks import Hook, around, no_hook


class Sent(Struct, frozen=True):
    """One notice that arrived."""

    channel: str
    key: str
    notice: dict[str, Any]


class FakeSender:
    """A Sender that remembers; verb for the hook: sender.send. Channels in `down` do not answer."""

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.down: set[str] = set()
        self.sent: list[Sent] = []
        """What arrived, in order."""

    def send(self, channel: Channel, key: str, notice: Mapping[str, Any]) -> None:
        """Hand over one notice. Raises: Unavailable while the channel is down."""
        with around(self.hook, "sender.send"):
            if channel.name in self.down:
                raise Unavailable(f"{channel.name} does not answer")
            self.sent.append(Sent(channel.name, key, dict(notice)))
