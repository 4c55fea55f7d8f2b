"""Objects in memory: a name is given once."""

from shared.core.errors import Exists, Rejected
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

NAME_LIMIT_BYTES = 1024
"""https://cloud.google.com/storage/docs/objects#naming, read 2026-11."""


class MemoryObjects:
    """An Objects; verbs for the hook: objects.create, .read, .names."""

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.kept: dict[str, bytes] = {}
        """Content by name: for a test to look at, and to meddle with."""

    def create(self, name: str, content: bytes, content_type: str = "application/json") -> None:
        """Keep the content. Raises: Exists, Rejected for a name that cannot be."""
        with ask_hook_around(self.hook, "objects.create"):
            if not 0 < len(name.encode()) <= NAME_LIMIT_BYTES or "\n" in name or "\r" in name:
                raise Rejected(f"400: Invalid object name: {name[:100]!r}")
            if name in self.kept:
                raise Exists(f"{name} exists already")
            self.kept[name] = content

    def read(self, name: str) -> bytes | None:
        """The content; None where there is none."""
        with ask_hook_around(self.hook, "objects.read"):
            return self.kept.get(name)

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, ascending."""
        with ask_hook_around(self.hook, "objects.names"):
            return sorted(name for name in self.kept if name.startswith(prefix))
