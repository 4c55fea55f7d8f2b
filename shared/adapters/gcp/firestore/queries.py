"""A query as Firestore's message."""

from typing import Any

from google.cloud.firestore_v1 import types

from shared.adapters.gcp.firestore.values import to_value_message
from shared.core.store import Query

_RunQueryRequest = types.RunQueryRequest.pb()
_Value = types.Value.pb()
_AND = types.StructuredQuery.CompositeFilter.Operator.AND
_ASCENDING = types.StructuredQuery.Direction.ASCENDING
_IS_NULL = types.StructuredQuery.UnaryFilter.Operator.IS_NULL
_COMPARISONS = types.StructuredQuery.FieldFilter.Operator
_OPERATORS = {
    "==": _COMPARISONS.EQUAL,
    "<": _COMPARISONS.LESS_THAN,
    "<=": _COMPARISONS.LESS_THAN_OR_EQUAL,
    ">": _COMPARISONS.GREATER_THAN,
    ">=": _COMPARISONS.GREATER_THAN_OR_EQUAL,
}


def run_query_request(root: str, query: Query, transaction: bytes) -> Any:
    """`RunQueryRequest` for a collection below `root`, `projects/P/databases/D/documents`.

    The service orders by `order_by`, then by each other field under an inequality, then by id.
    """
    parent, _, collection = query.collection.rpartition("/")
    request = _RunQueryRequest(parent=f"{root}/{parent}" if parent else root, transaction=transaction or None)
    structured = request.structured_query
    structured.from_.add(collection_id=collection)
    if query.where:
        structured.where.composite_filter.op = _AND
        for condition in query.where:
            add_condition(structured.where.composite_filter.filters.add(), *condition)
    if query.order_by is not None:
        structured.order_by.add(direction=_ASCENDING).field.field_path = query.order_by
    if query.limit is not None:
        structured.limit.value = query.limit
    return request


def add_condition(message: Any, field: str, comparison: str, wanted: Any) -> None:
    """One condition; equal to nothing is a filter of its own kind."""
    if wanted is None and comparison == "==":
        message.unary_filter.op = _IS_NULL
        message.unary_filter.field.field_path = field
        return
    message.field_filter.field.field_path = field
    message.field_filter.op = _OPERATORS[comparison]
    message.field_filter.value.CopyFrom(to_value_message(_Value, wanted))
