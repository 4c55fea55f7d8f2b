"""The parts of `google.firestore.admin.v1.FirestoreAdmin` about expiry and indexes.

What is about whole databases stands in `data_calls`.
"""

import re
import uuid

import grpc
from google.cloud.firestore_admin_v1 import types
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from local.core.pages import page
from local.services.firestore.admin.database_calls import DatabaseAdminCalls
from local.services.firestore.data.ttl import CollectionGroup
from local.services.firestore.statuses import invalid_argument, unimplemented

MAX_PAGE_SIZE = 1000

_FIELD = re.compile(r"(projects/[^/]+/databases/[^/]+)/collectionGroups/([^/]+)/fields/(.+)")
_INDEX = re.compile(r"projects/[^/]+/databases/[^/]+/collectionGroups/[^/]+/indexes/[^/]+")
_PARENT = re.compile(r"(projects/[^/]+/databases/[^/]+)/collectionGroups/([^/]+)")
_WITH_POLICY = "ttlConfig:*"
_WITH_INDEXES = ("indexConfig.usesAncestorConfig:false", "indexConfig.usesAncestorConfig=false")
_CONFIGURATIONS = {"index_config", "ttl_config"}
_Field = types.Field.pb()
_ListFieldsResponse = types.ListFieldsResponse.pb()
_ListIndexesResponse = types.ListIndexesResponse.pb()
_Metadata = types.FieldOperationMetadata.pb()
_IndexMetadata = types.IndexOperationMetadata.pb()
_ACTIVE = types.Field.TtlConfig.State.ACTIVE


class FirestoreAdmin(DatabaseAdminCalls):
    """Fields with policies and indexes, and composite indexes; a change is over at once."""

    def GetField(self, request: Message, context: grpc.ServicerContext) -> Message:
        """The field with its indexes and its time-to-live policy, if any; every field exists."""
        group, field = _parse_field_name(request.name)
        return self._field(group, field)

    def ListFields(self, request: Message, context: grpc.ServicerContext) -> Message:
        """The fields of a collection group (`-`: of all) with a policy, or indexes of their own."""
        database, collection_id = _group(request.parent)
        asked = [one.strip() for one in request.filter.replace("ttl_config", "ttlConfig").split(" OR ")]
        if not set(asked) <= {_WITH_POLICY, *_WITH_INDEXES}:
            raise unimplemented(
                f"Only fields with a policy or indexes of their own are listed: filter '{_WITH_POLICY}'"
                f" or '{_WITH_INDEXES[0]}'."
            )
        found = {
            (group, policy.field)
            for group, policy in self._firestore.expiry.policies().items()
            if _WITH_POLICY in asked
        }
        if set(_WITH_INDEXES) & set(asked):
            found |= {_parse_field_name(name) for name in self._firestore.field_indexes.names()}
        fields = [
            self._field(group, field)
            for group, field in sorted(found)
            if group.database == database and collection_id in ("-", group.collection_id)
        ]
        shown, token = page(
            fields, lambda one: str(one.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        return _ListFieldsResponse(fields=shown, next_page_token=token)

    def UpdateField(self, request: Message, context: grpc.ServicerContext) -> Message:
        """An operation that is over already.

        A policy that is absent is taken away, and so are indexes of the field's own.
        """
        asked = request.field
        group, field = _parse_field_name(asked.name)
        paths = {path.split(".")[0] for path in request.update_mask.paths} or _CONFIGURATIONS
        if unknown := sorted(paths - _CONFIGURATIONS):
            raise invalid_argument(f"Of a field '{unknown[0]}' cannot be changed.")
        if "ttl_config" in paths and asked.HasField("ttl_config"):
            offset = asked.ttl_config.expiration_offset.ToTimedelta()
            self._firestore.expiry.set(group, field, offset)
        elif "ttl_config" in paths:
            self._firestore.expiry.clear(group, field)
        if "index_config" in paths:
            has_own = asked.HasField("index_config") and not asked.index_config.uses_ancestor_config
            self._firestore.field_indexes.set(asked.name, asked.index_config if has_own else None)
        return self._operation(group, field)

    def ListIndexes(self, request: Message, context: grpc.ServicerContext) -> Message:
        """The composite indexes of a collection group (`-`: of all), unfiltered."""
        if request.filter:
            raise unimplemented("Indexes are listed without a filter.")
        shown, token = page(
            self._firestore.indexes.of(*_group(request.parent)),
            lambda one: str(one.name),
            request.page_size,
            request.page_token,
            MAX_PAGE_SIZE,
        )
        return _ListIndexesResponse(indexes=shown, next_page_token=token)

    def GetIndex(self, request: Message, context: grpc.ServicerContext) -> Message:
        """An index by its full name."""
        index: Message = self._firestore.indexes.find(_index_name(request.name))
        return index

    def CreateIndex(self, request: Message, context: grpc.ServicerContext) -> Message:
        """An operation that is over already, with the index, which is ready."""
        group = _group(request.parent)
        index = self._firestore.indexes.create(group, request.index)
        operation = operations_pb2.Operation(name=f"{group.database}/operations/{uuid.uuid4()}", done=True)
        operation.metadata.Pack(_IndexMetadata(index=index.name))
        operation.response.Pack(index)
        return operation

    def DeleteIndex(self, request: Message, context: grpc.ServicerContext) -> Message:
        """Nothing, once the index is gone."""
        self._firestore.indexes.delete(_index_name(request.name))
        return empty_pb2.Empty()

    def _field(self, group: CollectionGroup, field: str) -> Message:
        name = f"{group}/fields/{field}"
        message = _Field(name=name, index_config=self._firestore.field_indexes.of(name))
        policy = self._firestore.expiry.policies().get(group)
        if policy is not None and policy.field == field:
            message.ttl_config.state = _ACTIVE
            if policy.offset:
                message.ttl_config.expiration_offset.FromTimedelta(policy.offset)
        return message

    def _operation(self, group: CollectionGroup, field: str) -> Message:
        changed = self._field(group, field)
        name = uuid.uuid5(uuid.NAMESPACE_URL, str(changed))
        operation = operations_pb2.Operation(name=f"{group.database}/operations/{name}", done=True)
        operation.metadata.Pack(_Metadata(field=changed.name))
        operation.response.Pack(changed)
        return operation


def _parse_field_name(name: str) -> tuple[CollectionGroup, str]:
    found = _FIELD.fullmatch(name)
    if found is None:
        raise invalid_argument(f'"{name}" is not the name of a field.')
    database, collection_id, field = found.groups()
    return CollectionGroup(database, collection_id), field


def _group(name: str) -> CollectionGroup:
    found = _PARENT.fullmatch(name)
    if found is None:
        raise invalid_argument(f'"{name}" is not the name of a collection group.')
    return CollectionGroup(*found.groups())


def _index_name(name: str) -> str:
    if not _INDEX.fullmatch(name):
        raise invalid_argument(f'"{name}" is not the name of an index.')
    return name
