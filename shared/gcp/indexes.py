"""Composite indexes of Firestore."""

from __future__ import annotations

from typing import Any, Final

from google.cloud.firestore_admin_v1 import types

from shared.gcp.answers import READ, READ_SECONDS, translated
from shared.inventory import Index, IndexField

PERMISSIONS: Final = ("datastore.indexes.list",)

_PAGE = 1000
_IndexMessage = types.Index.pb
_Scope = types.Index.QueryScope
_State = types.Index.State
_Order = types.Index.IndexField.Order
_Array = types.Index.IndexField.ArrayConfig


class FirestoreIndexes:
    """An Indexes over the databases of one project. The client's own retries are off."""

    def __init__(self, admin: Any, project: str) -> None:
        self._admin = admin
        self._project = project

    def of(self, database: str) -> dict[str, Index]:
        """Those of one database, by definition."""
        parent = f"projects/{self._project}/databases/{database}/collectionGroups/-"
        request = {"parent": parent, "page_size": _PAGE}
        with translated(READ):
            pages = self._admin.list_indexes(request, retry=None, timeout=READ_SECONDS)
            found = [_index(database, _IndexMessage(message)) for message in pages]
        return {one.definition: one for one in found}


def _index(database: str, message: Any) -> Index:
    group = message.name.partition("/collectionGroups/")[2].partition("/")[0]
    return Index(
        database=database,
        group=group,
        scope=_Scope(message.query_scope).name,
        fields=tuple(IndexField(one.field_path, _mode(one)) for one in message.fields),
        state=_State(message.state).name,
    )


def _mode(field: Any) -> str:
    """How a field is indexed; of a kind that has no name here, as the message writes it."""
    if field.order:
        return str(_Order(field.order).name)
    if field.array_config:
        return str(_Array(field.array_config).name)
    kind = field.WhichOneof("value_mode")
    return " ".join(f"{kind} {getattr(field, kind)}".split()) if kind else ""
