"""Aggregations over a query: count, sum and average.

Semantics: comments on `StructuredAggregationQuery` in google/firestore/v1/query.proto, and
https://firebase.google.com/docs/firestore/query-data/aggregation-queries (read 2026-11).
"""

from dataclasses import dataclass

from local.services.firestore.data.field_paths import Path, lookup, parse_field_path
from local.services.firestore.data.values import number_of, number_value
from local.services.firestore.messages import Document, StructuredAggregationQuery, Value
from local.services.firestore.queries.query import DocumentQuery, read_query
from local.services.firestore.statuses import invalid_argument

AGGREGATIONS_LIMIT = 5

_INTEGER_RANGE = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Aggregation:
    """One figure over the documents that a query finds."""

    kind: str
    """`count`, `sum` or `avg`."""
    path: Path | None
    """What is summed or averaged; None for a count."""
    up_to: int | None
    """Where a count stops; None: nowhere."""

    def over(self, documents: list[Document]) -> Value:
        """The figure: a count up to its limit, a sum, or an average (null over no numbers)."""
        if self.path is None:
            count = len(documents)
            return Value(integer_value=count if self.up_to is None else min(count, self.up_to))
        values = (number_of(lookup(document, self.path)) for document in documents)
        numbers = [number for number in values if number is not None]
        if self.kind == "sum":
            return _sum_numbers(numbers)
        if not numbers:
            return Value(null_value=0)
        return Value(double_value=sum(numbers) / len(numbers))


def read_aggregations(
    parent: str, request: StructuredAggregationQuery
) -> tuple[DocumentQuery, dict[str, Aggregation]]:
    """The query below, and the aggregations by alias.

    Documents count only where they have every aggregated field, and without an order of its own the
    query runs in the order of those fields.

    Raises: Refused INVALID_ARGUMENT.
    """
    if not request.aggregations:
        raise invalid_argument("Aggregations can not be empty")
    if len(request.aggregations) > AGGREGATIONS_LIMIT:
        raise invalid_argument(f"An aggregation query has at most {AGGREGATIONS_LIMIT} aggregations.")
    aggregations: dict[str, Aggregation] = {}
    unnamed = 0
    for message in request.aggregations:
        if not message.alias:
            unnamed += 1
        alias = message.alias or f"field_{unnamed}"
        if alias in aggregations:
            raise invalid_argument(f"Aggregation aliases contain duplicate alias: {alias}")
        aggregations[alias] = _read_aggregation(message)
    present = tuple(one.path for one in aggregations.values() if one.path is not None)
    return read_query(parent, request.structured_query, present), aggregations


def _read_aggregation(message: StructuredAggregationQuery.Aggregation) -> Aggregation:
    match message.WhichOneof("operator"):
        case "count":
            limited = message.count.HasField("up_to")
            if limited and message.count.up_to.value <= 0:
                raise invalid_argument("The limit of a count must be positive.")
            return Aggregation("count", None, message.count.up_to.value if limited else None)
        case "sum":
            return Aggregation("sum", parse_field_path(message.sum.field.field_path), None)
        case "avg":
            return Aggregation("avg", parse_field_path(message.avg.field.field_path), None)
        case _:
            raise invalid_argument("An aggregation needs an operator.")


def _sum_numbers(numbers: list[int | float]) -> Value:
    """Integers stay an integer while the sum fits 64 bits; else it is a double."""
    total = sum(numbers)
    if isinstance(total, int) and total not in _INTEGER_RANGE:
        total = float(total)
    return number_value(total)
