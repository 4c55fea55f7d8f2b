"""Composite indexes as they are declared; queries need none here."""

import threading
import uuid
from typing import Any

from google.cloud.firestore_admin_v1 import types

from local.core.journal import Journal
from local.services.firestore.data.ttl import CollectionGroup
from local.services.firestore.statuses import already_exists, invalid_argument, not_found

_JOURNAL_SERVICE = "firestore-indexes"
_Index = types.Index.pb()
_READY = types.Index.State.READY
_ASCENDING = types.Index.IndexField.Order.ASCENDING
_NAME = "__name__"


class CompositeIndexes:
    """The composite indexes of every database."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.RLock()
        self._kept = {name: _Index.FromString(value) for name, value in journal.read(_JOURNAL_SERVICE)}

    def find(self, name: str) -> Any:
        """An index by its full name. Raises: Refused NOT_FOUND."""
        with self._lock:
            index = self._kept.get(name)
        if index is None:
            raise not_found(f'There is no index "{name}".')
        return index

    def of(self, database: str, collection_id: str) -> list[Any]:
        """The indexes of a collection group (`-`: of all), by name."""
        with self._lock:
            kept = sorted(self._kept.items())
        return [
            index
            for name, index in kept
            for group, _, _ in [name.rpartition("/indexes/")]
            if group.startswith(f"{database}/collectionGroups/")
            and collection_id in ("-", group.rpartition("/")[2])
        ]

    def create(self, group: CollectionGroup, asked: Any) -> Any:
        """An index that is ready at once; the document's name ends its fields, said or not.

        Raises: Refused INVALID_ARGUMENT, ALREADY_EXISTS.
        """
        if len(asked.fields) < 2 or not asked.query_scope:
            raise invalid_argument("An index needs a query scope and two fields.")
        index = _Index(query_scope=asked.query_scope, fields=asked.fields, state=_READY)
        if index.fields[-1].field_path != _NAME:
            index.fields.add(field_path=_NAME, order=index.fields[-1].order or _ASCENDING)
        index.name = f"{group}/indexes/{_id(index)}"
        with self._lock:
            if index.name in self._kept:
                raise already_exists("index already exists")
            self._write(index.name, index)
        return index

    def delete(self, name: str) -> None:
        """Let an index be gone. Raises: Refused NOT_FOUND."""
        with self._lock:
            self._write(self.find(name).name, None)

    def _write(self, name: str, index: Any) -> None:
        self._journal.write(_JOURNAL_SERVICE, [(name, index.SerializeToString() if index else None)])
        if index:
            self._kept[name] = index
        else:
            del self._kept[name]


def _id(index: Any) -> str:
    """The same for the same definition: no two alike can be."""
    return uuid.uuid5(uuid.NAMESPACE_URL, str(index)).hex
