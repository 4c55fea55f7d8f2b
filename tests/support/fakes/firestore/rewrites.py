"""Documents in memory that are written back under the times at which they were read."""

from collections.abc import Sequence

from shared.core.errors import Exists, Moved
from shared.domain.data.document import Rewrite, RewriteResult
from tests.support.fakes.firestore.documents import FakeDocuments
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook


class FakeRewrites:
    """A Rewrites over a FakeDocuments; verb for the hook: rewrites.rewrite."""

    def __init__(self, documents: FakeDocuments, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.written: list[str] = []
        """The paths of all that landed, in order: each once, whatever died."""
        self._documents = documents

    def rewrite(self, database: str, rewrites: Sequence[Rewrite]) -> list[RewriteResult]:
        """One after the other."""
        with ask_hook_around(self.hook, "rewrites.rewrite"):
            return [self._landed(database, one) for one in rewrites]

    def _landed(self, database: str, rewrite: Rewrite) -> RewriteResult:
        path = rewrite.path
        there = self._documents.get_quietly(database, path)
        if rewrite.seen_at is None and there is not None:
            return Exists(f"ALREADY_EXISTS: {path}")
        if (there.updated_at if there is not None else None) != rewrite.seen_at:
            return Moved(f"FAILED_PRECONDITION: {path}")
        self._documents.write(database, {path: rewrite.fields})
        self.written.append(path)
        now = self._documents.get_quietly(database, path)
        return now.updated_at if now is not None else None
