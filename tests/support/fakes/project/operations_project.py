"""What the responders are made of, in memory."""

from shared.core.errors import Rejected
from shared.ports.operations_project import DeployedFunction, Subscription


class MemoryInstallation:
    """An Installation that is what a test sets it to; at the beginning there is nothing in it."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, tuple[str, ...]]] = {}
        """The grants of each topic, by its short name."""
        self.granted: dict[str, dict[str, tuple[str, ...]]] = {}
        """The grants of each bucket, by its name."""
        self.schemas: dict[str, str] = {}
        """The schema of each topic that has one."""
        self.subscribed: list[Subscription] = []
        self.deployed: list[DeployedFunction] = []

    def topics(self) -> dict[str, str]:
        """All topics by their short names, each with the name of its schema; "": it has none."""
        return {name: self.schemas.get(name, "") for name in self.made}

    def subscriptions(self) -> list[Subscription]:
        """All subscriptions."""
        return [*self.subscribed]

    def grants(self, topic: str) -> dict[str, tuple[str, ...]]:
        """Whom a topic's own policy gives each role."""
        if topic not in self.made:
            raise Rejected(f"there is no topic {topic}")
        return {role: tuple(sorted({*named})) for role, named in self.made[topic].items()}

    def bucket_grants(self, bucket: str) -> dict[str, tuple[str, ...]]:
        """Whom a bucket's own policy gives each role."""
        if bucket not in self.granted:
            raise Rejected(f"there is no bucket {bucket}")
        return {role: tuple(sorted({*named})) for role, named in self.granted[bucket].items()}

    def functions(self) -> list[DeployedFunction]:
        """All functions, in every region."""
        return [*self.deployed]
