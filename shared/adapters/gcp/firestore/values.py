"""Fields of a document as Firestore's messages, and back."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_v1.field_path import FieldPath

from shared.core.codec import DocumentFields
from shared.core.errors import Rejected
from shared.core.store import SERVER_TIME
from shared.domain.data.document import GeoPoint, Reference

_INTEGERS = range(-(2**63), 2**63)

Path = tuple[str, ...]


def write_fields(target: Any, fields: Mapping[str, Any], parents: Path = ()) -> list[Path]:
    """Write fields into a message's map; the paths of those that are to become SERVER_TIME.

    Raises: TypeError for a type that Firestore does not hold, Rejected for a value that it refuses.
    """
    server_times = []
    for name, value in fields.items():
        path = (*parents, name)
        if value is SERVER_TIME:
            server_times.append(path)
        else:
            server_times.extend(_write(target[name], value, path))
    return server_times


def to_value_message(kind: Any, value: Any) -> Any:
    """One value as a message of that class, for a query."""
    message = kind()
    _write(message, value, ())
    return message


def read_fields(fields: Mapping[str, Any]) -> DocumentFields:
    """Return a message's map as values of `shared.domain.data.document`; times in UTC."""
    return {name: _read(value) for name, value in fields.items()}


def read_time(timestamp: Any) -> datetime:
    """A message's time, aware UTC, in microseconds."""
    moment: datetime = timestamp.ToDatetime(tzinfo=UTC)
    return moment


def format_field_path(path: Iterable[str]) -> str:
    """A field's path as a mask or a transform names it: `a.b` is two parts, a name is quoted."""
    return str(FieldPath(*path).to_api_repr())


def _write(message: Any, value: Any, path: Path) -> list[Path]:
    """Write one value; the paths below it that are to become SERVER_TIME."""
    match value:
        case dict():
            message.map_value.SetInParent()
            return write_fields(message.map_value.fields, value, path)
        case list() | tuple():
            _write_list(message.array_value, value)
        case datetime():
            if value.tzinfo is None:
                raise TypeError("a field cannot hold a time without a zone")
            message.timestamp_value.FromDatetime(value)
        case _:
            _write_scalar(message, value)
    return []


def _write_scalar(message: Any, value: Any) -> None:
    match value:
        case None:
            message.null_value = 0
        case bool():
            message.boolean_value = value
        case int():
            if value not in _INTEGERS:
                raise Rejected("an integer does not fit into 64 bits")
            message.integer_value = value
        case float():
            message.double_value = value
        case str():
            message.string_value = value
        case bytes():
            message.bytes_value = value
        case Reference():
            message.reference_value = value.name
        case GeoPoint():
            message.geo_point_value.latitude = value.latitude
            message.geo_point_value.longitude = value.longitude
            message.geo_point_value.SetInParent()
        case _:
            raise TypeError(f"a field cannot hold {type(value).__name__}")


def _write_list(message: Any, items: Iterable[Any]) -> None:
    message.SetInParent()
    for item in items:
        if isinstance(item, list | tuple):
            raise Rejected("a list cannot hold a list")
        if item is SERVER_TIME or _write(message.values.add(), item, ()):
            raise Rejected("a list cannot hold SERVER_TIME")


def _read(message: Any) -> Any:
    kind = message.WhichOneof("value_type")
    match kind:
        case "null_value" | None:
            return None
        case "timestamp_value":
            return read_time(message.timestamp_value)
        case "map_value":
            return read_fields(message.map_value.fields)
        case "array_value":
            return [_read(item) for item in message.array_value.values]
        case "reference_value":
            return Reference(message.reference_value)
        case "geo_point_value":
            point = message.geo_point_value
            return GeoPoint(point.latitude, point.longitude)
        case _:
            return getattr(message, kind)
