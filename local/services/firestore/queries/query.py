"""Structured queries: where they look, what they let pass, and in which order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from google.cloud.firestore_v1 import types

from local.services.firestore.data.documents import DocumentHistory
from local.services.firestore.data.field_paths import NAME_PATH, Path, lookup, parse_field_path, project
from local.services.firestore.data.values import Key, order_key
from local.services.firestore.messages import Cursor, Document, StructuredQuery, Value
from local.services.firestore.names import check_parent, collection_of
from local.services.firestore.queries.filters import Predicate, inequality_fields, predicate
from local.services.firestore.statuses import invalid_argument, unimplemented

Position: TypeAlias = tuple[Key, ...]
"""A document's place in a query: the key of each ordered field."""

_DESCENDING = types.StructuredQuery.Direction.DESCENDING


@dataclass(frozen=True)
class QueryScope:
    """The collections that a query looks into."""

    parent: str
    collection_id: str
    """Empty: collections of any id."""
    descendants: bool

    def collections(self, documents: DocumentHistory) -> list[str]:
        """The full names of the collections that are there."""
        if self.collection_id and not self.descendants:
            return [f"{self.parent}/{self.collection_id}"]
        below = documents.collections_below(self.parent)
        return [collection for collection in below if self._holds(collection)]

    def covers(self, name: str) -> bool:
        """Whether a document of this name lies within."""
        return self._holds(collection_of(name))

    def _holds(self, collection: str) -> bool:
        parent, _, collection_id = collection.rpartition("/")
        below = parent == self.parent or (self.descendants and parent.startswith(f"{self.parent}/"))
        return below and self.collection_id in ("", collection_id)


@dataclass(frozen=True)
class QueryOrder:
    """One field that a query is ordered by; a document without it is not in the query."""

    path: Path
    descending: bool = False


@dataclass(frozen=True)
class QueryBound:
    """An end of the range: values for the first orders, and whether it lies before its equals."""

    keys: Position
    before: bool


@dataclass(frozen=True)
class DocumentQuery:
    """A query, ready to run."""

    scope: QueryScope
    passes: Predicate
    orders: tuple[QueryOrder, ...]
    start: QueryBound | None
    end: QueryBound | None
    offset: int
    limit: int | None
    projection: tuple[Path, ...] | None

    @property
    def is_by_name(self) -> bool:
        """Whether it has the order of names alone."""
        return self.orders == (QueryOrder(NAME_PATH),)

    def limit_to(self, most: int) -> DocumentQuery:
        """What finds the first so many of what it finds."""
        return replace(self, limit=most if self.limit is None else min(self.limit, most))

    def start_after(self, found: Sequence[Document]) -> DocumentQuery:
        """What finds the rest, by name, when it has found these."""
        name = order_key(Value(reference_value=found[-1].name))
        left = None if self.limit is None else self.limit - len(found)
        return replace(self, start=QueryBound((name,), before=False), offset=0, limit=left)

    def run(self, documents: DocumentHistory, time: int) -> list[Document]:
        """The whole documents that it finds at `time`, in its order."""
        collections = self.scope.collections(documents)
        last = None if self.limit is None else self.offset + self.limit
        if self.is_by_name and len(collections) == 1:
            return list(islice(self._by_name(documents, collections[0], time), self.offset, last))
        found = []
        for collection in collections:
            for document in documents.documents_in(collection, time):
                position = self._position(document)
                if position is not None:
                    found.append((position, document))
        for index, order in reversed(list(enumerate(self.orders))):
            found.sort(key=lambda row: row[0][index], reverse=order.descending)
        return [document for _, document in found[self.offset : last]]

    def is_in_range(self, document: Document | None) -> bool:
        """Whether a document is in the range that it looks at, whatever offset and limit say."""
        return (
            document is not None and self.scope.covers(document.name) and self._position(document) is not None
        )

    def project_document(self, document: Document) -> Document:
        """What the query shows of a document that it found."""
        return document if self.projection is None else project(document, self.projection)

    def _by_name(self, documents: DocumentHistory, collection: str, time: int) -> Iterator[Document]:
        """What it finds in one collection in the order of names: nothing else is looked at."""
        names = documents.names(collection)

        def place(bound: QueryBound, *, behind_equals: bool) -> int:
            def side(name: str) -> int:
                return self._side((order_key(Value(reference_value=name)),), bound)

            return bisect_left(names, 1 if behind_equals else 0, key=side)

        first = place(self.start, behind_equals=not self.start.before) if self.start else 0
        end = place(self.end, behind_equals=not self.end.before) if self.end else len(names)
        for number in range(first, end):
            document = documents.get(names[number], time)
            if document is not None and self.passes(document):
                yield document

    def _position(self, document: Document) -> Position | None:
        """Where a document stands; None when it is not in the query."""
        if not self.passes(document):
            return None
        keys = []
        for order in self.orders:
            value = lookup(document, order.path)
            if value is None:
                return None
            keys.append(order_key(value))
        position = tuple(keys)
        return position if self._in_range(position) else None

    def _in_range(self, position: Position) -> bool:
        if self.start is not None:
            side = self._side(position, self.start)
            if side < 0 or (side == 0 and not self.start.before):
                return False
        if self.end is not None:
            side = self._side(position, self.end)
            if side > 0 or (side == 0 and self.end.before):
                return False
        return True

    def _side(self, position: Position, bound: QueryBound) -> int:
        """-1, 0 or 1: before a bound, at it, or after it."""
        for key, limit, order in zip(position, bound.keys, self.orders, strict=False):
            if key != limit:
                return -1 if (key < limit) != order.descending else 1
        return 0


def read_query(parent: str, query: StructuredQuery, present: tuple[Path, ...] = ()) -> DocumentQuery:
    """A query from its message; it finds only documents that have the fields in `present`.

    Raises: Refused INVALID_ARGUMENT, UNIMPLEMENTED for a vector search.
    """
    if query.HasField("find_nearest"):
        raise unimplemented("Vector search is not available.")
    if query.offset < 0 or query.limit.value < 0:
        raise invalid_argument("Offset and limit must not be negative.")
    orders = _orders(query, present)
    return DocumentQuery(
        scope=_scope(check_parent(parent), query),
        passes=predicate(query.where),
        orders=orders,
        start=_bound(query.start_at, orders) if query.HasField("start_at") else None,
        end=_bound(query.end_at, orders) if query.HasField("end_at") else None,
        offset=query.offset,
        limit=query.limit.value if query.HasField("limit") else None,
        projection=_projection(query) if query.HasField("select") else None,
    )


def _scope(parent: str, query: StructuredQuery) -> QueryScope:
    if len(query.from_) > 1:
        raise invalid_argument("A query has at most one collection selector.")
    if not query.from_:
        return QueryScope(parent, "", descendants=False)
    selector = query.from_[0]
    if "/" in selector.collection_id:
        raise invalid_argument(f'Collection id "{selector.collection_id}" is invalid.')
    return QueryScope(parent, selector.collection_id, selector.all_descendants)


def _orders(query: StructuredQuery, present: tuple[Path, ...]) -> tuple[QueryOrder, ...]:
    """The orders asked for, then those implied: inequalities by name, `present`, `__name__`."""
    orders = [
        QueryOrder(parse_field_path(order.field.field_path), order.direction == _DESCENDING)
        for order in query.order_by
    ]
    descending = orders[-1].descending if orders else False
    for path in [*sorted(inequality_fields(query.where)), *present, NAME_PATH]:
        if all(order.path != path for order in orders):
            orders.append(QueryOrder(path, descending))
    return tuple(orders)


def _bound(cursor: Cursor, orders: tuple[QueryOrder, ...]) -> QueryBound:
    if len(cursor.values) > len(orders):
        raise invalid_argument("A cursor has more values than the query has orders.")
    return QueryBound(tuple(order_key(value) for value in cursor.values), cursor.before)


def _projection(query: StructuredQuery) -> tuple[Path, ...]:
    return tuple(parse_field_path(field.field_path) for field in query.select.fields)
