"""Field transforms: values that the server computes from what is stored.

Semantics: comments on `DocumentTransform.FieldTransform` in google/firestore/v1/write.proto.
"""

import math
from collections.abc import Callable, Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from local.services.firestore.data.field_paths import assign, lookup, parse_field_path
from local.services.firestore.data.values import number_of, number_value, order_key
from local.services.firestore.messages import ArrayValue, Document, DocumentTransform, Value
from local.services.firestore.statuses import invalid_argument
from local.services.firestore.timeline import to_timestamp

TRANSFORMS_PER_DOCUMENT = 500

_INTEGER_RANGE = (-(2**63), 2**63 - 1)
_MILLISECOND_MICROS = 1000


def transform(
    document: Document, transforms: Iterable[DocumentTransform.FieldTransform], time: int
) -> list[Value]:
    """Carry the transforms out on a document, in order; the result of each, as the service says it.

    `time` is the commit's, in microseconds.

    Raises: Refused INVALID_ARGUMENT.
    """
    transforms = list(transforms)
    if len(transforms) > TRANSFORMS_PER_DOCUMENT:
        raise invalid_argument(f"More than {TRANSFORMS_PER_DOCUMENT} transforms on one document.")
    return [_apply_transform(document, one, time) for one in transforms]


def _apply_transform(document: Document, one: DocumentTransform.FieldTransform, time: int) -> Value:
    path = parse_field_path(one.field_path)
    stored = lookup(document, path)
    match one.WhichOneof("transform_type"):
        case "set_to_server_value":
            computed = Value(timestamp_value=_request_time(time))
        case "increment":
            computed = _increment(stored, one.increment)
        case "maximum":
            computed = _extreme(stored, one.maximum, lambda new, old: new > old)
        case "minimum":
            computed = _extreme(stored, one.minimum, lambda new, old: new < old)
        case "append_missing_elements":
            assign(document, path, _append_missing(stored, one.append_missing_elements))
            return Value(null_value=0)
        case "remove_all_from_array":
            assign(document, path, _remove_all(stored, one.remove_all_from_array))
            return Value(null_value=0)
        case kind:
            raise invalid_argument(f"Unknown field transform {kind}.")
    assign(document, path, computed)
    return computed


def _request_time(time: int) -> Timestamp:
    """The server's time with millisecond precision, one value for a whole commit."""
    return to_timestamp(time - time % _MILLISECOND_MICROS)


def _increment(stored: Value | None, by: Value) -> Value:
    """The sum; integers stop at the ends of 64 bits, and what is no number is replaced."""
    step = number_of(by)
    if step is None:
        raise invalid_argument("An increment must be a number.")
    base = number_of(stored)
    if base is None:
        return by
    total = base + step
    if isinstance(total, int):
        least, greatest = _INTEGER_RANGE
        total = min(max(total, least), greatest)
    return number_value(total)


def _extreme(stored: Value | None, offered: Value, wins: Callable[[float, float], bool]) -> Value:
    """The one of two numbers that wins; what is equal stays as it is stored, NaN wins always."""
    new = number_of(offered)
    if new is None:
        raise invalid_argument("A maximum or minimum must be a number.")
    old = number_of(stored)
    if old is None or math.isnan(new) or wins(new, old):
        return offered
    return number_value(old)


def _append_missing(stored: Value | None, offered: ArrayValue) -> Value:
    array = _array(stored)
    present = {order_key(element) for element in array.array_value.values}
    for element in offered.values:
        if order_key(element) not in present:
            present.add(order_key(element))
            array.array_value.values.append(element)
    return array


def _remove_all(stored: Value | None, unwanted: ArrayValue) -> Value:
    gone = {order_key(element) for element in unwanted.values}
    kept = [value for value in _array(stored).array_value.values if order_key(value) not in gone]
    return Value(array_value=ArrayValue(values=kept))


def _array(stored: Value | None) -> Value:
    """A copy of the stored array; empty when it is none."""
    array = Value(array_value=ArrayValue())
    if stored is not None and stored.HasField("array_value"):
        array.CopyFrom(stored)
    return array
