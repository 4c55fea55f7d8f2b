"""The calls of google.pubsub.v1.SchemaService."""

import uuid
from datetime import datetime

import grpc
from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

from local.core.pages import page
from local.services.pubsub.broker import Broker
from local.services.pubsub.messages import (
    CommitSchemaRequest,
    CreateSchemaRequest,
    DeleteSchemaRequest,
    GetSchemaRequest,
    ListSchemasRequest,
    ListSchemasResponse,
    PublishRequest,
    Schema,
    ValidateMessageRequest,
    ValidateMessageResponse,
    ValidateSchemaRequest,
    ValidateSchemaResponse,
    copy_resource,
)
from local.services.pubsub.names import DELETED_SCHEMA
from local.services.pubsub.resources import schemas
from local.services.pubsub.statuses import already_exists, invalid_argument, not_found

MAX_PAGE_SIZE = 1000
_BASIC = types.SchemaView.BASIC
_FULL = types.SchemaView.FULL


class SchemaService:
    """Schemas; of each its newest revision is kept."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def CreateSchema(self, request: CreateSchemaRequest, context: grpc.ServicerContext) -> Schema:
        """The new schema; ALREADY_EXISTS when there is one."""
        name = schemas.check_name(f"{request.parent}/schemas/{request.schema_id}")
        schemas.check_schema(request.schema)
        with self._broker.change() as now:
            if name in self._broker.schemas:
                raise already_exists(name)
            return self._put(name, request.schema, now)

    def CommitSchema(self, request: CommitSchemaRequest, context: grpc.ServicerContext) -> Schema:
        """The schema in a new revision."""
        schemas.check_schema(request.schema)
        with self._broker.change() as now:
            if self._find(request.name).type_ != request.schema.type_:
                raise invalid_argument("The type of a schema cannot be changed.")
            return self._put(request.name, request.schema, now)

    def GetSchema(self, request: GetSchemaRequest, context: grpc.ServicerContext) -> Schema:
        """The newest revision of a schema."""
        with self._broker.change():
            return _view(self._find(request.name), request.view or _FULL)

    def ListSchemas(self, request: ListSchemasRequest, context: grpc.ServicerContext) -> ListSchemasResponse:
        """A page of the project's schemas, by name."""
        with self._broker.change():
            found = [
                _view(schema, request.view or _BASIC)
                for name, schema in sorted(self._broker.schemas.items())
                if name.startswith(f"{request.parent}/schemas/")
            ]
        listed, token = page(
            found, lambda schema: str(schema.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        return ListSchemasResponse(schemas=listed, next_page_token=token)

    def DeleteSchema(self, request: DeleteSchemaRequest, context: grpc.ServicerContext) -> Empty:
        """Nothing; its topics take no messages any more."""
        with self._broker.change():
            self._find(request.name)
            self._broker.put_schema(request.name, None)
        return Empty()

    def ValidateSchema(
        self, request: ValidateSchemaRequest, context: grpc.ServicerContext
    ) -> ValidateSchemaResponse:
        """Nothing, once a schema could be created."""
        schemas.check_schema(request.schema)
        return ValidateSchemaResponse()

    def ValidateMessage(
        self, request: ValidateMessageRequest, context: grpc.ServicerContext
    ) -> ValidateMessageResponse:
        """Nothing, once a message is one of the schema."""
        schema = request.schema
        if request.name:
            with self._broker.change():
                schema = self._find(request.name)
        schemas.check_schema(schema)
        _check_message(schema.definition, request.message, request.encoding)
        return ValidateMessageResponse()

    def _find(self, name: str) -> Schema:
        if name not in self._broker.schemas:
            raise not_found(name)
        return self._broker.schemas[name]

    def _put(self, name: str, asked: Schema, now: datetime) -> Schema:
        schema = Schema(
            name=name, type_=asked.type_, definition=asked.definition, revision_id=uuid.uuid4().hex[:8]
        )
        schema.revision_create_time.FromDatetime(now)
        self._broker.put_schema(name, schema)
        return schema


def check_messages(broker: Broker, request: PublishRequest) -> None:
    """Nothing, once the topic takes messages like those of a request.

    Raises: StatusError INVALID_ARGUMENT.
    """
    topic = broker.topics.get(request.topic)
    if topic is None or not topic.HasField("schema_settings"):
        return
    settings = topic.schema_settings
    if settings.schema == DELETED_SCHEMA:
        raise invalid_argument("The schema of the topic was deleted.")
    for message in request.messages:
        _check_message(broker.schemas[settings.schema].definition, message.data, settings.encoding)


def _check_message(definition: str, data: bytes, encoding: int) -> None:
    if not schemas.is_valid_message(definition, data, encoding):
        raise invalid_argument("Invalid data in message: Message failed schema validation.")


def _view(schema: Schema, view: int) -> Schema:
    if view == _FULL:
        return schema
    shown = copy_resource(schema)
    shown.ClearField("definition")
    return shown
