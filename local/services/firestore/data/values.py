"""How values compare: one total order over all types.

Source: https://firebase.google.com/docs/firestore/manage-data/data-types#value_type_ordering
(read 2026-11): null < booleans < numbers (NaN first) < timestamps < strings < bytes < references <
geo points < arrays < vectors < maps.
"""

from typing import Any, TypeAlias

from local.services.firestore.messages import Value
from local.services.firestore.names import name_key
from local.services.firestore.statuses import invalid_argument

Key: TypeAlias = tuple[Any, ...]
"""Ordered as Firestore orders the values; its first element is the rank of the type."""

NULL, BOOLEAN, NUMBER, TIMESTAMP, STRING, BYTES, REFERENCE, POINT, ARRAY, VECTOR, MAP = range(11)

NULL_KEY: Key = (NULL,)
NAN_KEY: Key = (NUMBER, 0)

_VECTOR_TYPE_KEY = "__vector__"


def order_key(value: Value) -> Key:
    """What a value is ordered by; equal keys mean equal values (3 equals 3.0, NaN equals NaN).

    Raises: Refused INVALID_ARGUMENT for a value without a type or one of a pipeline.
    """
    kind = value.WhichOneof("value_type")
    if kind == "string_value":
        return (STRING, value.string_value)  # code points order as UTF-8 bytes do
    if kind in ("integer_value", "double_value"):
        number = getattr(value, kind)
        return NAN_KEY if number != number else (NUMBER, 1, number)
    if kind == "map_value":
        return _map_key(value)
    if kind == "array_value":
        return (ARRAY, tuple(order_key(element) for element in value.array_value.values))
    return _plain_key(kind, value)


def number_of(value: Value | None) -> int | float | None:
    """The number in a value; None when it holds something else."""
    if value is None:
        return None
    kind = value.WhichOneof("value_type")
    number: int | float | None = getattr(value, kind) if kind in ("integer_value", "double_value") else None
    return number


def number_value(number: int | float) -> Value:
    """A number as a value of its own type."""
    if isinstance(number, int):
        return Value(integer_value=number)
    return Value(double_value=number)


def _plain_key(kind: str | None, value: Value) -> Key:
    match kind:
        case "null_value":
            return NULL_KEY
        case "boolean_value":
            return (BOOLEAN, value.boolean_value)
        case "timestamp_value":
            return (TIMESTAMP, value.timestamp_value.seconds, value.timestamp_value.nanos)
        case "bytes_value":
            return (BYTES, value.bytes_value)
        case "reference_value":
            return (REFERENCE, name_key(value.reference_value))
        case "geo_point_value":
            return (POINT, value.geo_point_value.latitude, value.geo_point_value.longitude)
        case _:
            raise invalid_argument(f"A value of type {kind or 'none'} cannot be stored or compared.")


def _map_key(value: Value) -> Key:
    fields = value.map_value.fields
    if "__type__" in fields and fields["__type__"].string_value == _VECTOR_TYPE_KEY:
        numbers = tuple(order_key(element) for element in fields["value"].array_value.values)
        return (VECTOR, len(numbers), numbers)
    return (MAP, tuple((name, order_key(fields[name])) for name in sorted(fields)))
