"""Indexes as they are declared, composite and of single fields; queries need none here."""

import threading
import uuid
from typing import Any

from google.cloud.firestore_admin_v1 import types

from local.core.journal import Journal
from local.services.firestore.data.ttl import CollectionGroup
from local.services.firestore.statuses import already_exists, invalid_argument, not_found

_JOURNAL_SERVICE = "firestore-indexes"
_FIELDS_JOURNAL_SERVICE = "firestore-field-indexes"
_Index = types.Index.pb()
_IndexConfig = types.Field.IndexConfig.pb()
_READY = types.Index.State.READY
_SPARSE_ALL = types.Index.Density.SPARSE_ALL
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
        index = _Index(density=_SPARSE_ALL)
        index.MergeFrom(asked)
        index.name, index.state = "", _READY
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


class FieldIndexes:
    """The indexes of single fields, where they are other than their database's."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._kept = {
            name: _IndexConfig.FromString(value) for name, value in journal.read(_FIELDS_JOURNAL_SERVICE)
        }

    def of(self, field: str) -> Any:
        """The indexes of a field by its full name; by default those of its database."""
        with self._lock:
            if field in self._kept:
                return self._kept[field]
        database = field.partition("/collectionGroups/")[0]
        ancestor = f"{database}/collectionGroups/__default__/fields/*"
        return _IndexConfig(uses_ancestor_config=True, ancestor_field=ancestor)

    def names(self) -> list[str]:
        """The fields that have indexes of their own, by name."""
        with self._lock:
            return sorted(self._kept)

    def set(self, field: str, asked: Any | None) -> None:
        """Give a field indexes of its own, or (None) those of its database again."""
        config, (group, _, path) = None, field.partition("/fields/")
        if asked is not None:
            config = _IndexConfig(indexes=asked.indexes)
            for index in config.indexes:
                index.state = _READY
                for one in index.fields:
                    one.field_path = path
                index.name = f"{group}/indexes/{_id(index)}"
        with self._lock:
            self._journal.write(
                _FIELDS_JOURNAL_SERVICE, [(field, None if config is None else config.SerializeToString())]
            )
            if config is None:
                self._kept.pop(field, None)
            else:
                self._kept[field] = config


def _id(index: Any) -> str:
    """The same for the same definition: no two alike can be."""
    return uuid.uuid5(uuid.NAMESPACE_URL, str(index)).hex
