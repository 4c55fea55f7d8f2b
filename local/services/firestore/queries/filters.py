"""Filters of a query as predicates over documents.

Semantics: comments on `StructuredQuery` in google/firestore/v1/query.proto, and
https://firebase.google.com/docs/firestore/query-data/queries (read 2026-11).
"""

from collections.abc import Callable
from typing import TypeAlias

from google.cloud.firestore_v1 import types

from local.services.firestore.data.field_paths import NAME_PATH, Path, lookup, parse_field_path
from local.services.firestore.data.values import ARRAY, NAN_KEY, NULL_KEY, Key, order_key
from local.services.firestore.messages import Document, StructuredQuery, Value
from local.services.firestore.statuses import invalid_argument

Predicate: TypeAlias = Callable[[Document], bool]
Test: TypeAlias = Callable[[Key], bool]

IN_LIMIT = 30
NOT_IN_LIMIT = 10

_Op = types.StructuredQuery.FieldFilter.Operator
_Unary = types.StructuredQuery.UnaryFilter.Operator
_Composite = types.StructuredQuery.CompositeFilter.Operator

_INEQUALITIES = {
    _Op.LESS_THAN,
    _Op.LESS_THAN_OR_EQUAL,
    _Op.GREATER_THAN,
    _Op.GREATER_THAN_OR_EQUAL,
    _Op.NOT_EQUAL,
    _Op.NOT_IN,
}
_UNARY_INEQUALITIES = {_Unary.IS_NOT_NAN, _Unary.IS_NOT_NULL}


def predicate(where: StructuredQuery.Filter) -> Predicate:
    """Whether a document passes a filter; an empty filter lets everything pass.

    Raises: Refused INVALID_ARGUMENT for a filter that cannot be.
    """
    match where.WhichOneof("filter_type"):
        case "composite_filter":
            return _build_composite_predicate(where.composite_filter)
        case "field_filter":
            return _build_field_predicate(
                where.field_filter.field.field_path, _field_test(where.field_filter)
            )
        case "unary_filter":
            return _build_field_predicate(
                where.unary_filter.field.field_path, _unary_test(where.unary_filter)
            )
        case _:
            return lambda document: True


def inequality_fields(where: StructuredQuery.Filter) -> set[Path]:
    """The fields that a filter compares by order or inequality, which therefore order the query."""
    match where.WhichOneof("filter_type"):
        case "composite_filter":
            parts = [inequality_fields(part) for part in where.composite_filter.filters]
            return set().union(*parts)
        case "field_filter" if where.field_filter.op in _INEQUALITIES:
            return {parse_field_path(where.field_filter.field.field_path)}
        case "unary_filter" if where.unary_filter.op in _UNARY_INEQUALITIES:
            return {parse_field_path(where.unary_filter.field.field_path)}
        case _:
            return set()


def _build_composite_predicate(composite: StructuredQuery.CompositeFilter) -> Predicate:
    parts = [predicate(part) for part in composite.filters]
    if not parts:
        raise invalid_argument("A composite filter needs at least one filter.")
    match composite.op:
        case _Composite.AND:
            return lambda document: all(part(document) for part in parts)
        case _Composite.OR:
            return lambda document: any(part(document) for part in parts)
        case op:
            raise invalid_argument(f"Unknown composite operator {op}.")


def _build_field_predicate(field_path: str, test: Test) -> Predicate:
    path = parse_field_path(field_path)

    def passes(document: Document) -> bool:
        value = lookup(document, path)
        return value is not None and test(order_key(value))

    return passes


def _unary_test(unary: StructuredQuery.UnaryFilter) -> Test:
    match unary.op:
        case _Unary.IS_NAN:
            return lambda key: key == NAN_KEY
        case _Unary.IS_NULL:
            return lambda key: key == NULL_KEY
        case _Unary.IS_NOT_NAN:
            return lambda key: key not in (NAN_KEY, NULL_KEY)
        case _Unary.IS_NOT_NULL:
            return lambda key: key != NULL_KEY
        case op:
            raise invalid_argument(f"Unknown unary operator {op}.")


def _field_test(field: StructuredQuery.FieldFilter) -> Test:
    _check_name_operand(field)
    if field.op in (_Op.IN, _Op.NOT_IN, _Op.ARRAY_CONTAINS_ANY):
        return _membership_test(field.op, _operand_keys(field))
    want = order_key(field.value)
    match field.op:
        case _Op.EQUAL:
            return lambda key: key == want
        case _Op.NOT_EQUAL:
            return lambda key: key not in (want, NULL_KEY)
        case _Op.ARRAY_CONTAINS:
            return lambda key: key[0] == ARRAY and want in key[1]
        case _:
            return _order_test(field.op, want)


def _order_test(op: int, want: Key) -> Test:
    """Comparisons by order: only values of the same type pass."""
    match op:
        case _Op.LESS_THAN:
            return lambda key: key[0] == want[0] and key < want
        case _Op.LESS_THAN_OR_EQUAL:
            return lambda key: key[0] == want[0] and key <= want
        case _Op.GREATER_THAN:
            return lambda key: key[0] == want[0] and key > want
        case _Op.GREATER_THAN_OR_EQUAL:
            return lambda key: key[0] == want[0] and key >= want
        case _:
            raise invalid_argument(f"Unknown field operator {op}.")


def _membership_test(op: int, wanted: frozenset[Key]) -> Test:
    match op:
        case _Op.IN:
            return lambda key: key in wanted
        case _Op.ARRAY_CONTAINS_ANY:
            return lambda key: key[0] == ARRAY and not wanted.isdisjoint(key[1])
        case _ if NULL_KEY in wanted:
            return lambda key: False  # nothing is known not to be null
        case _:
            return lambda key: key not in wanted and key != NULL_KEY


def _operand_keys(field: StructuredQuery.FieldFilter) -> frozenset[Key]:
    values = field.value.array_value.values
    limit = NOT_IN_LIMIT if field.op == _Op.NOT_IN else IN_LIMIT
    if not 1 <= len(values) <= limit:
        name = _Op(field.op).name
        raise invalid_argument(f"'{name}' requires a non-empty array of at most {limit} values.")
    return frozenset(order_key(value) for value in values)


def _check_name_operand(field: StructuredQuery.FieldFilter) -> None:
    if parse_field_path(field.field.field_path) != NAME_PATH:
        return
    operands: list[Value] = list(field.value.array_value.values) or [field.value]
    if not all(operand.HasField("reference_value") for operand in operands):
        raise invalid_argument("__key__ filter value must be a Key")
