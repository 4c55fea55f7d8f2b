"""What the responders are made of, in memory."""

from __future__ import annotations

from shared.errors import Rejected
from shared.installation import Deployed, Subscription


class MemoryInstallation:
    """An Installation that is what a test sets it to; at the beginning there is nothing in it."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, tuple[str, ...]]] = {}
        """The grants of each topic, by its short name."""
        self.subscribed: list[Subscription] = []
        self.deployed: list[Deployed] = []

    def topics(self) -> set[str]:
        """The short names of all topics."""
        return {*self.made}

    def subscriptions(self) -> list[Subscription]:
        """All subscriptions."""
        return [*self.subscribed]

    def grants(self, topic: str) -> dict[str, tuple[str, ...]]:
        """Whom a topic's own policy gives each role."""
        if topic not in self.made:
            raise Rejected(f"there is no topic {topic}")
        return {role: tuple(sorted({*named})) for role, named in self.made[topic].items()}

    def functions(self) -> list[Deployed]:
        """All functions, in every region."""
        return [*self.deployed]
