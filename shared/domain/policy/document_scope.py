"""Where documents lie: below which collection."""

from shared.core.codec import FrozenStruct


class Scope(FrozenStruct):
    """Which documents are meant."""

    collection: str
    """A collection's path; everywhere: an id, or empty for all collections."""
    everywhere: bool = False
    """Whether collections of that id below any document are meant too: a collection group."""

    def __str__(self) -> str:
        return self.collection or "other collections below documents"
