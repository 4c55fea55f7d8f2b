"""Ports to the documents of an application: reads and conditional rewrites."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from shared.domain.data.document import DocumentSnapshot, Rewrite, RewriteResult
from shared.domain.policy.document_scope import Scope


class Documents(Protocol):
    """The documents of one project's databases, for looking.

    `at` is a moment that can be read: within the past hour any, with point-in-time recovery also
    each whole minute of the past seven days; None: now. Another one is Rejected. Names are in the
    order of the database: part by part, numbers such as `__id7__` first, then by the bytes of their
    UTF-8.
    """

    def stream(
        self, database: str, scope: Scope, at: datetime | None, after: str = ""
    ) -> Iterator[DocumentSnapshot]:
        """Yield documents in name order behind path `after`. Raises: Unavailable, midway, too."""

    def paths(self, database: str, scope: Scope, at: datetime | None, after: str = "") -> Iterator[str]:
        """The same documents, by their paths alone."""

    def get(
        self, database: str, paths: Sequence[str], at: datetime | None
    ) -> dict[str, DocumentSnapshot | None]:
        """Those documents, all of one moment; None for one that is not there."""

    def existing(self, database: str, paths: Sequence[str], at: datetime | None) -> set[str]:
        """Those of the paths that lead to a document."""

    def matching(
        self,
        database: str,
        scope: Scope,
        where: Mapping[str, Any],
        at: datetime | None,
        only: Sequence[str],
        most: int,
    ) -> list[DocumentSnapshot]:
        """The first so many documents whose fields equal these, with the named fields alone."""

    def newest(
        self, database: str, scope: Scope, field: str, since: datetime, most: int
    ) -> list[DocumentSnapshot]:
        """Return at most so many documents whose time in that field is later, as they are now."""

    def count(
        self, database: str, scope: Scope, at: datetime | None, where: Mapping[str, Any] | None = None
    ) -> int:
        """How many there are whose fields equal these. One read is paid for a thousand of them."""

    def collections(self, database: str, at: datetime | None) -> list[str]:
        """The ids of the database's own collections; sorted."""

    def partition_points(self, database: str, scope: Scope, at: datetime | None, most: int) -> list[str]:
        """At most so many paths, in order, that part a scope into about equal pieces.

        None for few documents. Each need not lead to a document.
        """


class Rewrites(Protocol):
    """Documents of one project's databases, written back."""

    def rewrite(self, database: str, rewrites: Sequence[Rewrite]) -> list[RewriteResult]:
        """What became of each, in order: whole documents, each by itself, of different paths.

        Raises: Ambiguous (some of them may be written), Throttled; Rejected, when it is we who may
        not write.
        """
