"""Composite indexes of Firestore, and the fields by which documents expire."""

from dataclasses import dataclass
from typing import Any

from google.cloud.firestore_admin_v1 import types
from google.cloud.firestore_v1.field_path import FieldPath

from shared.adapters.gcp.errors import CREATE_ERRORS, call_once
from shared.adapters.gcp.listing import list_items
from shared.core.errors import Rejected
from shared.domain.data.ttl import TtlField
from shared.domain.deployments.inventory.inventory_parts import Index, IndexField, is_creatable

PERMISSIONS = ("datastore.schemas.list",)
WRITE_PERMISSIONS = (*PERMISSIONS, "datastore.schemas.create")

_PAGE = 1000
_Scope = types.Index.QueryScope
_State = types.Index.State
_Order = types.Index.IndexField.Order
_Array = types.Index.IndexField.ArrayConfig


@dataclass
class FirestoreIndexes:
    """An Indexes over the databases of one project. The client's own retries are off."""

    _admin: Any
    _project: str

    def of(self, database: str) -> dict[str, Index]:
        request = {"parent": self._groups(database), "page_size": _PAGE}
        messages = list_items(self._admin.list_indexes, "indexes", request)
        found = (_index(database, types.Index.pb(message)) for message in messages)
        return {one.definition: one for one in found}

    def create(self, index: Index) -> str:
        parent = f"projects/{self._project}/databases/{index.database}/collectionGroups/"
        request = {"parent": f"{parent}{index.group}", "index": _message(index)}
        return str(call_once(self._admin.create_index, request, errors=CREATE_ERRORS).operation.name)

    def expiries(self, database: str) -> list[TtlField]:
        """By what documents of one database expire.

        In whatever state its policy is: CREATING, ACTIVE or NEEDS_REPAIR, it holds for what is
        written from now on (`Field.TtlConfig` of google.cloud.firestore_admin_v1, read 2026-11-27).
        """
        request = {"parent": self._groups(database), "filter": "ttlConfig:*", "page_size": _PAGE}
        messages = list_items(self._admin.list_fields, "fields", request)
        return sorted((_expiry(types.Field.pb(one)) for one in messages), key=lambda one: one.group)

    def _groups(self, database: str) -> str:
        return f"projects/{self._project}/databases/{database}/collectionGroups/-"


def _message(index: Index) -> types.Index:
    """Raises: Rejected for an index of a kind that has no name here."""
    if not is_creatable(index):
        raise Rejected(f"{index.definition}: an index of this kind is not made again")
    fields = [
        types.Index.IndexField(field_path=one.path, array_config=_Array[one.mode])
        if one.mode in _Array.__members__
        else types.Index.IndexField(field_path=one.path, order=_Order[one.mode])
        for one in index.fields
    ]
    return types.Index(query_scope=_Scope[index.scope], fields=fields)


def _index(database: str, message: Any) -> Index:
    return Index(
        database=database,
        group=message.name.partition("/collectionGroups/")[2].partition("/")[0],
        scope=_Scope(message.query_scope).name,
        fields=tuple(IndexField(one.field_path, _mode(one)) for one in message.fields),
        state=_State(message.state).name,
    )


def _expiry(field: Any) -> TtlField:
    group, _, path = field.name.partition("/collectionGroups/")[2].partition("/fields/")
    return TtlField(
        group=group,
        field=FieldPath.from_api_repr(path).parts,
        after=field.ttl_config.expiration_offset.ToTimedelta(),
    )


def _mode(field: Any) -> str:
    """How a field is indexed; of a kind that has no name here, as the message writes it."""
    if field.order:
        return str(_Order(field.order).name)
    if field.array_config:
        return str(_Array(field.array_config).name)
    kind = field.WhichOneof("value_mode")
    return " ".join(f"{kind} {getattr(field, kind)}".split()) if kind else ""
