"""Pages in memory: each write makes a new generation."""

from collections.abc import Iterator

from shared.core.errors import Moved, Rejected
from shared.ports.storage import PublicAccess
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook


class MemoryPages:
    """A Pages; verbs for the hook: pages.generation, .put, .history."""

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.kept: dict[str, tuple[int, bytes]] = {}
        """Generation and content by name."""
        self.types: dict[str, str] = {}
        """Of the content, by name."""
        self._last = 0
        self._written: dict[str, list[tuple[int, bytes]]] = {}

    def generation(self, name: str) -> int:
        """0 where there is none."""
        with ask_hook_around(self.hook, "pages.generation"):
            return self.kept.get(name, (0, b""))[0]

    def put(self, name: str, content: bytes, content_type: str, generation: int) -> None:
        """Keep the content. Raises: Moved; Rejected for a name that cannot be."""
        with ask_hook_around(self.hook, "pages.put"):
            if not name:
                raise Rejected("400: Invalid object name")
            if self.kept.get(name, (0, b""))[0] != generation:
                raise Moved(name)
            self._last += 1
            self.kept[name] = (self._last, content)
            self.types[name] = content_type
            self._written.setdefault(name, []).insert(0, self.kept[name])

    def history(self, name: str) -> Iterator[tuple[int, bytes]]:
        """As a bucket with versioning keeps them, also those of a deleted object."""
        with ask_hook_around(self.hook, "pages.history"):
            written = [*self._written.get(name, [])]
        yield from written

    def address(self, name: str) -> str:
        """An address that nobody plays."""
        return f"https://status.example/{name}"

    def seen(self, name: str) -> PublicAccess:
        """Nobody sees what is not there."""
        if name not in self.kept:
            return PublicAccess(404)
        return PublicAccess(200, self.types[name], "no-cache, max-age=0")
