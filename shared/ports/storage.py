"""Ports of buckets: objects stored while named, or public (errors: shared/ports/groups.py)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from shared.core.codec import FrozenStruct
from shared.domain.deployments.inventory.inventory_parts import SourceObject


class Vault(Protocol):
    """What is kept until no record names it: one bucket of Cloud Storage."""

    def copy(self, source: SourceObject, name: str) -> SourceObject:
        """Where the copy is that has this name from now on, or had it already.

        Raises: Rejected when there is no such source, or it must not be read.
        """

    def keep(self, name: str, content: bytes) -> SourceObject:
        """Where the content is that has this name from now on, or had it already."""

    def read(self, kept: SourceObject) -> bytes:
        """The content of just this generation. Raises: Rejected when it is gone."""

    def creation_times(self, prefix: str) -> dict[str, datetime]:
        """When each object whose name begins so was made, by name."""

    def remove(self, name: str) -> None:
        """There is no such object any more."""


class PublicAccess(FrozenStruct):
    """What somebody without an account is answered at the address of a page."""

    status: int
    content_type: str = ""
    cache_control: str = ""


class VersionedObjects(Protocol):
    """Objects that are written again and again: one bucket of Cloud Storage."""

    def generation(self, name: str) -> int:
        """Which one of its contents an object has now; 0 where there is no such object."""

    def put(self, name: str, content: bytes, content_type: str, generation: int) -> None:
        """Give the object a new content in the place of that generation.

        Raises: Moved (somebody has written it meanwhile), Ambiguous, Throttled (not written).
        """

    def history(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yield each generation that the bucket keeps with its content, the newest first."""


class Pages(VersionedObjects, Protocol):
    """What everybody reads."""

    def address(self, name: str) -> str:
        """Where everybody reads it."""

    def seen(self, name: str) -> PublicAccess:
        """What everybody sees there just now. Raises: Unavailable."""


class AssetDependencies(Protocol):
    """What an application's assets rely on, for looking: its buckets and its topics."""

    def location_type(self, bucket: str) -> str:
        """`region`, `dual-region` or `multi-region`; empty: there is no such bucket.

        Raises: Unavailable, Throttled; Rejected, when it is we who may not look.
        """

    def count_subscriptions(self, project: str, topic: str) -> int | None:
        """How many subscriptions a topic has, fewer than 1,000; None: there is no such topic.

        Raises: as `location_type`.
        """


class Media(Protocol):
    """The files of a protected application, for looking: every bucket that may be read."""

    def unreadable_reason(self, bucket: str, name: str) -> str:
        """Why nobody can read the object; empty: its first byte came.

        Raises: Unavailable; Rejected, when it is we who may not read.
        """
