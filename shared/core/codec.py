"""Values to stored documents and back."""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar, dataclass_transform, overload

import msgspec
from msgspec import inspect

from shared.core.errors import Refused

T = TypeVar("T")
JsonObject = dict[str, Any]
"""An object of JSON: its values by their names."""
DocumentFields = dict[str, Any]
"""The fields of a document by their names, with every kind of value that the store holds."""

SCHEMA_VERSION = 1
"""Version of every stored document; a reader that does not know it takes nothing."""
MAX_JSON_VALUES = 300_000
"""More than any text of 256 KB holds. A value takes up to thirty times the memory of its text."""
_registered_types: set[Any] = set()
_registration_lock = Lock()


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class FrozenStruct(msgspec.Struct, frozen=True):
    """An immutable value."""


class StoredDocument(FrozenStruct, kw_only=True):
    """An immutable value that is stored as a document of its own."""

    schema: int = SCHEMA_VERSION


def encode(value: msgspec.Struct) -> DocumentFields:
    """The fields of a document: plain maps, lists and scalars; times stay aware datetimes."""
    fields: DocumentFields = msgspec.to_builtins(value, builtin_types=(datetime,))
    return fields


def decode(kind: type[T], fields: DocumentFields | None) -> T:
    """Return the value that a document holds. Raises: msgspec.ValidationError (other fields)."""
    return msgspec.convert(fields, _register_type(kind))


def documents_of(collection: str) -> Callable[[str], str]:
    """Return the function that builds the path of a document of a collection from its id."""
    return lambda name: f"{collection}/{name}"


def system_documents_of(collection: str) -> Callable[[str, str], str]:
    """Return the function that builds such a path from a system and a name that is unique in it."""
    return lambda system, name: f"{collection}/{system}:{name}"


def collections_below(collection: str, name: str) -> Callable[[str], str]:
    """Return the function that builds the path of the collection below a document from its id."""
    return lambda document: f"{collection}/{document}/{name}"


def read_object(text: bytes, limit: int) -> JsonObject:
    """The JSON object that `text` holds; of a key that stands twice, the last.

    Raises: Refused when it is empty, longer than `limit` bytes, of more than `MAX_JSON_VALUES`
    values, not UTF-8, not JSON (NaN and lone surrogates are not), nested too deeply, or not an
    object.
    """
    if not text:
        raise Refused("empty")
    if len(text) > limit:
        raise Refused(f"{len(text)} bytes long: at most {limit} are read")
    if sum(map(text.count, (b",", b"[", b"{"))) > MAX_JSON_VALUES:
        raise Refused(f"JSON of too many values: at most {MAX_JSON_VALUES} are read")
    try:
        value = from_json(text)
    except RecursionError as error:
        raise Refused("JSON that is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refused(f"JSON, but no object: {type(value).__name__}")
    return value


@overload
def from_json(content: bytes | str, kind: type[T]) -> T: ...
@overload
def from_json(content: bytes | str, kind: Any = Any) -> Any: ...
def from_json(content: bytes | str, kind: Any = Any) -> Any:
    """The value of that kind. Raises: as `msgspec.json.decode`."""
    return msgspec.json.decode(content, type=_register_type(kind))


def from_msgpack(content: bytes, kind: type[T]) -> T:
    """The value of that kind. Raises: as `msgspec.msgpack.decode`."""
    return msgspec.msgpack.decode(content, type=_register_type(kind))


def from_builtins(value: Any, kind: type[T]) -> T:
    """The value of that kind. Raises: as `msgspec.convert`."""
    return msgspec.convert(value, _register_type(kind))


def type_info(kind: Any) -> inspect.Type:
    """What a kind is made of."""
    return inspect.type_info(_register_type(kind))


def json_schema(kind: Any) -> JsonObject:
    """The JSON Schema of a kind."""
    return msgspec.json.schema(_register_type(kind))


def _register_type(kind: type[T]) -> type[T]:
    """The kind itself, when msgspec knows it and all that is in it."""
    if kind not in _registered_types:
        with _registration_lock:
            msgspec.json.Decoder(kind)
            _registered_types.add(kind)
    return kind
