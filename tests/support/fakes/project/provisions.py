"""What an application's assets rely on, in memory."""

from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook


class FakeProvisions:
    """A Provisions; the verbs for the hook: provisions.location_type, provisions.listeners."""

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.buckets: dict[str, str] = {}
        """Location type by name."""
        self.topics: dict[str, int] = {}
        """How many subscriptions each has, by `projects/P/topics/T`."""

    def location_type(self, bucket: str) -> str:
        """As it was put down."""
        with ask_hook_around(self.hook, "provisions.location_type"):
            return self.buckets.get(bucket, "")

    def count_subscriptions(self, project: str, topic: str) -> int | None:
        """As it was put down; None: it was not."""
        with ask_hook_around(self.hook, "provisions.listeners"):
            return self.topics.get(f"projects/{project}/topics/{topic}")
