"""What a document may hold.

Limits and the arithmetic of sizes: https://firebase.google.com/docs/firestore/quotas and
https://firebase.google.com/docs/firestore/storage-size (read 2026-11).
"""

import re
from typing import Any

from google.protobuf.message import Message

from local.services.firestore.messages import Document, Value
from local.services.firestore.statuses import invalid_argument

DOCUMENT_LIMIT_BYTES = 1_048_576
REQUEST_LIMIT_BYTES = 10 * 1024 * 1024
FIELD_NAME_LIMIT_BYTES = 1500
NESTING_LIMIT = 20

_RESERVED_NAME = re.compile(r"__.*__", re.DOTALL)
_FIXED_BYTES = {
    "null_value": 1,
    "boolean_value": 1,
    "integer_value": 8,
    "double_value": 8,
    "timestamp_value": 8,
    "geo_point_value": 16,
}
_MICROSECOND_NANOS = 1000


def check_request_size(request: Message) -> None:
    """Refuse a request over 10 MiB.

    Raises: Refused INVALID_ARGUMENT.
    """
    if request.ByteSize() > REQUEST_LIMIT_BYTES:
        raise invalid_argument(f"Request payload size exceeds the limit: {REQUEST_LIMIT_BYTES} bytes.")


def normalize_document(document: Document) -> None:
    """Cut timestamps to the microsecond, and refuse what cannot be stored.

    Raises: Refused INVALID_ARGUMENT for a document over 1 MiB, maps nested over 20 deep, an array
    right inside an array, a field name over 1,500 bytes or reserved (`__x__`).
    """
    for name in document.fields:
        if _RESERVED_NAME.fullmatch(name):
            raise invalid_argument(f'Field name "{name}" is reserved.')
    size = count_name_bytes(document.name) + _map_bytes(document.fields, 1) + 32
    if size > DOCUMENT_LIMIT_BYTES:
        raise invalid_argument(
            f"Document '{document.name}' cannot be written because its size ({size:,} bytes)"
            f" exceeds the maximum allowed size of {DOCUMENT_LIMIT_BYTES:,} bytes."
        )


def count_name_bytes(name: str) -> int:
    """What a document's name counts: its ids below the database, and 16."""
    return sum(_string_bytes(segment) for segment in name.split("/")[5:]) + 16


def _map_bytes(fields: Any, depth: int) -> int:
    if depth > NESTING_LIMIT + 1:
        raise invalid_argument(f"Property contains more than {NESTING_LIMIT} levels of nesting.")
    size = 0
    for name, value in fields.items():
        name_size = _string_bytes(name)
        if not 1 < name_size <= FIELD_NAME_LIMIT_BYTES + 1:
            raise invalid_argument(f"Field name is empty or longer than {FIELD_NAME_LIMIT_BYTES} bytes.")
        size += name_size + _value_bytes(value, depth)
    return size


def _value_bytes(value: Value, depth: int) -> int:
    kind = value.WhichOneof("value_type")
    match kind:
        case "string_value":
            return _string_bytes(value.string_value)
        case "map_value":
            return _map_bytes(value.map_value.fields, depth + 1)
        case "array_value":
            return _array_bytes(value, depth)
        case "bytes_value":
            return len(value.bytes_value)
        case "reference_value":
            return count_name_bytes(value.reference_value)
        case "timestamp_value":
            value.timestamp_value.nanos -= value.timestamp_value.nanos % _MICROSECOND_NANOS
    if kind not in _FIXED_BYTES:
        raise invalid_argument(f"A value of type {kind or 'none'} cannot be stored.")
    return _FIXED_BYTES[kind]


def _array_bytes(array: Value, depth: int) -> int:
    size = 0
    for value in array.array_value.values:
        if value.HasField("array_value"):
            raise invalid_argument("Cannot convert an array value in an array value.")
        size += _value_bytes(value, depth + 1)
    return size


def _string_bytes(text: str) -> int:
    return len(text.encode()) + 1
