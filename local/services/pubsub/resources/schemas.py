"""What a schema is, and which messages it lets through. Protocol buffers alone; Avro is not served.

https://cloud.google.com/pubsub/docs/schemas (read 2026-11): one type at the top, and no imports.
"""

import re
from functools import lru_cache

from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.pubsub_v1 import types

from local.services.pubsub import names
from local.services.pubsub.messages import Schema
from local.services.pubsub.statuses import invalid_argument, unimplemented

DEFINITION_LIMIT_BYTES = 300 * 1024

_WORD_PATTERN = re.compile(r'//[^\n]*|/\*.*?\*/|\s+|("[^"\n]*"|-?[\w.]+|[{}\[\]<>()=;,:])|.', re.DOTALL)
_SCALARS = {
    name.removeprefix("TYPE_").lower(): number
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}
_LABELS = {name.removeprefix("LABEL_").lower(): number for name, number in FieldDescriptorProto.Label.items()}


def check_schema(schema: Schema) -> None:
    """Nothing, once a schema can be kept. Raises: StatusError INVALID_ARGUMENT, UNIMPLEMENTED."""
    if schema.type_ == types.Schema.Type.AVRO:
        raise unimplemented("Avro schemas are not served here.")
    if schema.type_ != types.Schema.Type.PROTOCOL_BUFFER or not schema.definition:
        raise invalid_argument("A schema needs a type and a definition.")
    if len(schema.definition.encode()) > DEFINITION_LIMIT_BYTES:
        raise invalid_argument("The definition of a schema has at most 300 KB.")
    message_class(schema.definition)


def check_name(name: str) -> str:
    """The name of a schema. Raises: StatusError INVALID_ARGUMENT."""
    return names.require_resource_name(name, "schemas")


def is_valid_message(definition: str, data: bytes, encoding: int) -> bool:
    """Whether the data of a message is one of a definition."""
    message = message_class(definition)()
    try:
        if encoding == types.Encoding.BINARY:
            message.ParseFromString(data)
        else:
            json_format.Parse(data.decode(), message)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError):
        return False
    return True


@lru_cache
def message_class(definition: str) -> type[Message]:
    """The class of the one message of a definition. Raises: StatusError INVALID_ARGUMENT."""
    try:
        file = _Parser(definition).parse_file()
        pool = DescriptorPool()
        pool.Add(file)
        found: type[Message] = GetMessageClass(
            pool.FindFileByName(file.name).message_types_by_name[file.message_type[0].name]
        )
    except (TypeError, ValueError) as wrong:
        raise invalid_argument(f"Invalid schema definition: {wrong}") from wrong
    return found


class _Parser:
    """Reads what a definition of one message may contain; each part raises ValueError."""

    def __init__(self, definition: str) -> None:
        self._words = [found[1] or found[0] for found in _WORD_PATTERN.finditer(definition)]
        self._words = [one for one in self._words if one.strip() and not one.startswith(("//", "/*"))]
        self._words.reverse()

    def parse_file(self) -> FileDescriptorProto:
        """A file with exactly one type."""
        file = FileDescriptorProto(name="schema.proto", syntax="proto2")
        while self._words:
            match self._take():
                case "syntax":
                    self._take("=")
                    file.syntax = self._take().strip('"')
                    self._take(";")
                case "message":
                    self._parse_message(file.message_type.add())
                case "enum":
                    self._parse_enum(file.enum_type.add())
                case "package" | "option":
                    self._skip_statement()
                case ";":
                    pass
                case other:
                    raise ValueError(f"'{other}' is not allowed at the top")
        if len(file.message_type) != 1 or file.enum_type:
            count = len(file.message_type) + len(file.enum_type)
            raise ValueError(
                f"a definition has exactly one message at the top and no other type; here: {count}"
            )
        return file

    def _parse_message(self, message: DescriptorProto) -> None:
        message.name = self._take()
        self._take("{")
        oneofs = 0
        while (word := self._take()) != "}" or oneofs:
            match word:
                case "}":
                    oneofs -= 1
                case "message":
                    self._parse_message(message.nested_type.add())
                case "enum":
                    self._parse_enum(message.enum_type.add())
                case "option" | "reserved":
                    self._skip_statement()
                case "oneof":
                    message.oneof_decl.add(name=self._take())
                    self._take("{")
                    oneofs += 1
                case ";":
                    pass
                case _:
                    self._parse_field(message, word, within_oneof=bool(oneofs))

    def _parse_field(self, message: DescriptorProto, word: str, *, within_oneof: bool) -> None:
        field = message.field.add(label=FieldDescriptorProto.LABEL_OPTIONAL)
        if word in _LABELS:
            field.label, word = _LABELS[word], self._take()
        if word == "map":
            raise ValueError("maps are not served here")
        if word in _SCALARS:
            field.type = _SCALARS[word]
        else:
            field.type_name = word
        field.name = self._take()
        self._take("=")
        field.number = int(self._take())
        if within_oneof:
            field.oneof_index = len(message.oneof_decl) - 1
        self._skip_statement()

    def _parse_enum(self, enum: EnumDescriptorProto) -> None:
        enum.name = self._take()
        self._take("{")
        while (word := self._take()) != "}":
            if word in ("option", "reserved"):
                self._skip_statement()
            elif word != ";":
                self._take("=")
                enum.value.add(name=word, number=int(self._take()))
                self._skip_statement()

    def _skip_statement(self) -> None:
        while self._take() != ";":
            pass

    def _take(self, expected: str = "") -> str:
        word = self._words.pop() if self._words else ""
        if not word:
            raise ValueError("it ends too early")
        if expected and word != expected:
            raise ValueError(f"'{expected}' is expected before '{word}'")
        return word
