"""A vault in memory: a name is given once, and again only once it is removed."""

from datetime import datetime

from msgspec import Struct

from shared.core.errors import Rejected
from shared.core.runtime import Clock
from shared.domain.deployments.inventory.inventory_parts import SourceObject
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook


class StoredContent(Struct, frozen=True):
    """One object."""

    content: bytes
    generation: int
    made_at: datetime


class MemoryVault:
    """A Vault; verbs for the hook: NAME.copy, .keep, .read, .made, .remove."""

    def __init__(self, clock: Clock, name: str, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.name = name
        self.objects: dict[str, StoredContent] = {}
        """By name: for a test to look at, and to meddle with."""
        self.lost: set[SourceObject] = set()
        """Sources that are there no more; every other one is there."""
        self._clock = clock
        self._generation = 0

    def copy(self, source: SourceObject, name: str) -> SourceObject:
        """Where the copy is that has this name. Raises: Rejected for a lost source."""
        with ask_hook_around(self.hook, f"{self.name}.copy"):
            if name not in self.objects and source in self.lost:
                raise Rejected(f"404: there is no {source.object} in {source.bucket}")
            return self._put(name, source_content(source))

    def keep(self, name: str, content: bytes) -> SourceObject:
        """Where the content is that has this name."""
        with ask_hook_around(self.hook, f"{self.name}.keep"):
            return self._put(name, content)

    def read(self, kept: SourceObject) -> bytes:
        """The content of just this generation. Raises: Rejected."""
        with ask_hook_around(self.hook, f"{self.name}.read"):
            found = self.objects.get(kept.object)
            if found is None or found.generation != kept.generation:
                raise Rejected(f"404: there is no {kept.object} of that generation")
            return found.content

    def creation_times(self, prefix: str) -> dict[str, datetime]:
        """When each object whose name begins so was made."""
        with ask_hook_around(self.hook, f"{self.name}.made"):
            return {name: one.made_at for name, one in self.objects.items() if name.startswith(prefix)}

    def remove(self, name: str) -> None:
        """There is no such object any more."""
        with ask_hook_around(self.hook, f"{self.name}.remove"):
            self.objects.pop(name, None)

    def _put(self, name: str, content: bytes) -> SourceObject:
        if name not in self.objects:
            self._generation += 1
            self.objects[name] = StoredContent(content, self._generation, self._clock.now())
        return SourceObject(self.name, name, self.objects[name].generation)


def source_content(source: SourceObject) -> bytes:
    """What a source holds in these worlds."""
    return f"{source.bucket}/{source.object}#{source.generation}".encode()
