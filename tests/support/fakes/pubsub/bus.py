"""Topics in memory: what was published lies there until a test delivers it."""

from collections.abc import Collection, Mapping

from msgspec import Struct

from shared.core.errors import Rejected
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

MESSAGE_LIMIT_BYTES = 10_000_000
"""https://cloud.google.com/pubsub/quotas#resource_limits, read 2026-11."""


class Published(Struct, frozen=True):
    """One message as kept."""

    id: str
    topic: str
    data: bytes
    attributes: dict[str, str]


class MemoryBus:
    """A Bus; verb for the hook: bus.publish.

    `topics` names those that exist; None: every topic does.
    """

    def __init__(self, hook: Hook = no_hook, topics: Collection[str] | None = None) -> None:
        self.hook = hook
        self.messages: list[Published] = []
        """Everything published and not yet taken, oldest first."""
        self._topics = topics
        self._published = 0

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """Keep the message; its id.

        Raises: Rejected for an unknown topic, or an empty or too large message.
        """
        with ask_hook_around(self.hook, "bus.publish"):
            if self._topics is not None and topic not in self._topics:
                raise Rejected(f"there is no topic {topic}")
            if not data and not attributes:
                raise Rejected("a message is empty")
            if len(data) > MESSAGE_LIMIT_BYTES:
                raise Rejected("a message is larger than 10 MB")
            self._published += 1
            message = Published(str(self._published), topic, data, dict(attributes or {}))
            self.messages.append(message)
            return message.id

    def take(self, topic: str) -> list[Published]:
        """The waiting messages of a topic, oldest first; they wait no longer."""
        taken = [message for message in self.messages if message.topic == topic]
        self.messages = [message for message in self.messages if message.topic != topic]
        return taken
