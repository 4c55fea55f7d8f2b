"""The documents of all databases, with every version that can still be read, written through."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from local.core.journal import Journal, Row
from local.services.firestore.messages import Document
from local.services.firestore.names import collection_of, id_key
from local.services.firestore.timeline import Timeline

JOURNAL_SERVICE = "firestore"


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """What a document was from `time` (microseconds) on; None: deleted."""

    time: int
    document: Document | None


@dataclass(frozen=True, slots=True)
class _SupersededVersion:
    """A version that no read at or after `until` sees."""

    until: int
    name: str
    time: int


@dataclass(frozen=True, slots=True)
class _Collection:
    """The documents right in it by full name, of each its versions, and these names in order."""

    versions: dict[str, list[DocumentVersion]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def versions_of(self, name: str) -> list[DocumentVersion]:
        """Those of a document, which has a place from now on."""
        if name not in self.versions:
            self.versions[name] = []
            insort(self.names, name, key=id_key)
        return self.versions[name]

    def remove(self, name: str) -> None:
        """Let go of a document."""
        del self.versions[name]
        del self.names[self.names.index(name, bisect_left(self.names, id_key(name), key=id_key))]


_EMPTY_COLLECTION = _Collection()


class DocumentHistory:
    """Documents by full name, at any time since the timeline's horizon.

    Documents that come out are shared and must not be changed. Not safe for threads: its callers
    hold the one lock of the service.
    """

    def __init__(self, journal: Journal, timeline: Timeline) -> None:
        self._journal = journal
        self._timeline = timeline
        self._collections: dict[str, _Collection] = {}
        self._replaced: deque[_SupersededVersion] = deque()
        self._replay()

    def get(self, name: str, time: int) -> Document | None:
        """A document as it was at `time`; None when there was none."""
        return _at(self._versions(name), time)

    def changed_at(self, name: str) -> int:
        """When a document was last written or deleted; 0 when that is not known any more."""
        versions = self._versions(name)
        return versions[-1].time if versions else 0

    def documents_in(self, collection: str, time: int) -> Iterator[Document]:
        """The documents right in a collection at `time`, in no order."""
        for versions in self._collections.get(collection, _EMPTY_COLLECTION).versions.values():
            document = _at(versions, time)
            if document is not None:
                yield document

    def names(self, collection: str) -> Sequence[str]:
        """The documents right in a collection at any time, in order."""
        return self._collections.get(collection, _EMPTY_COLLECTION).names

    def collections_below(self, parent: str) -> list[str]:
        """The full names of all collections below a document or root, at any depth."""
        prefix = f"{parent}/"
        return [collection for collection in self._collections if collection.startswith(prefix)]

    def commit(self, changes: Mapping[str, Document | None], time: int, besides: Iterable[Row] = ()) -> None:
        """Let all the documents become what `changes` says at `time`, durably; None deletes.

        `besides` is kept by the same stroke, or neither is. Versions behind the horizon are
        forgotten on the way.
        """
        if not changes:
            return
        expired = self._expired()
        self._journal.write_together(
            [
                *(
                    (JOURNAL_SERVICE, _key(name, time), _encode_document(one))
                    for name, one in changes.items()
                ),
                *((JOURNAL_SERVICE, _key(version.name, version.time), None) for version in expired),
                *besides,
            ]
        )
        for name, document in changes.items():
            self._replaced.extend(self._append(name, DocumentVersion(time, document)))
        for version in expired:
            self._replaced.popleft()
            self._forget(version)

    def _replay(self) -> None:
        replaced = []
        for key, stored in self._journal.read(JOURNAL_SERVICE):
            name, _, digits = key.rpartition("@")
            document = Document.FromString(stored) if stored else None
            replaced += self._append(name, DocumentVersion(int(digits), document))
            self._timeline.move_past(int(digits))
        self._replaced.extend(sorted(replaced, key=lambda version: version.until))

    def _append(self, name: str, version: DocumentVersion) -> list[_SupersededVersion]:
        """Add the newest version of a document; the versions that need not be kept for long now.

        A deletion says nothing once reads cannot go behind it, so it is among them from the start.
        """
        versions = self._collections.setdefault(collection_of(name), _Collection()).versions_of(name)
        replaced = [
            _SupersededVersion(version.time, name, old.time)
            for old in versions[-1:]
            if old.document is not None
        ]
        if version.document is None:
            replaced.append(_SupersededVersion(version.time, name, version.time))
        versions.append(version)
        return replaced

    def _expired(self) -> list[_SupersededVersion]:
        horizon = self._timeline.horizon()
        expired = []
        for version in self._replaced:
            if version.until > horizon:
                break
            expired.append(version)
        return expired

    def _forget(self, gone: _SupersededVersion) -> None:
        """Let go of a version, which is the oldest of its document."""
        collection = collection_of(gone.name)
        documents = self._collections[collection]
        versions = documents.versions[gone.name]
        del versions[0]
        if not versions:
            documents.remove(gone.name)
        if not documents.names:
            del self._collections[collection]

    def _versions(self, name: str) -> list[DocumentVersion]:
        return self._collections.get(collection_of(name), _EMPTY_COLLECTION).versions.get(name, [])


def _at(versions: list[DocumentVersion], time: int) -> Document | None:
    for version in reversed(versions):
        if version.time <= time:
            return version.document
    return None


def _key(name: str, time: int) -> str:
    """Orders the versions of one document by time: the digits are padded to one width."""
    return f"{name}@{time:020d}"


def _encode_document(document: Document | None) -> bytes:
    """A document's bytes; none at all for a deletion, which no document has."""
    if document is None:
        return b""
    stored: bytes = document.SerializeToString()
    return stored
