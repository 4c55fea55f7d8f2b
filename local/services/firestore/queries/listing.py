"""What lies where: documents and collections page by page, and the partitions of a query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from google.protobuf.message import Message

from local.services.firestore.commit_engine import DocumentView
from local.services.firestore.messages import Document, StructuredQuery
from local.services.firestore.names import ancestors, name_key
from local.services.firestore.queries.query import QueryScope, read_query
from local.services.firestore.statuses import invalid_argument

PARTITION_DOCUMENTS = 128
"""The service does not part a query finer than this (Google's own system tests rely on it)."""

ListDocumentsRequest: TypeAlias = Message
Item = TypeVar("Item")

_PAGE_SIZE = 300


@dataclass(frozen=True)
class ListingPage:
    """Where a page begins: the time that all its pages are read at (None: now), and an offset."""

    time: int | None = None
    offset: int = 0

    def cut(self, items: Sequence[Item], size: int, time: int) -> tuple[Sequence[Item], str]:
        """This page of all the items, and the token of the next; empty after the last."""
        end = self.offset + (size or _PAGE_SIZE)
        return items[self.offset : end], f"{time}.{end}" if end < len(items) else ""


def read_page(token: str) -> ListingPage:
    """The page that a token stands for; an empty one is the first.

    Raises: Refused INVALID_ARGUMENT.
    """
    if not token:
        return ListingPage()
    time, _, offset = token.partition(".")
    if not (time.isdecimal() and offset.isdecimal()):
        raise invalid_argument("Invalid page token.")
    return ListingPage(int(time), int(offset))


def documents(view: DocumentView, request: ListDocumentsRequest) -> list[Document]:
    """All that a ListDocuments request asks for, in order.

    With `show_missing` also the names that hold collections and are no documents.

    Raises: Refused INVALID_ARGUMENT.
    """
    if request.show_missing and request.order_by:
        raise invalid_argument("Missing documents cannot be shown in an order.")
    structured = StructuredQuery(
        from_=[StructuredQuery.CollectionSelector(collection_id=request.collection_id)],
        order_by=_parse_order_by(request.order_by),
    )
    query = read_query(request.parent, structured)
    found = view.run(query)
    if request.show_missing:
        found += _missing_documents(view, query.scope, {document.name for document in found})
        found.sort(key=lambda document: name_key(document.name))
    return found


def collection_ids(view: DocumentView, parent: str) -> list[str]:
    """The ids of the collections right below a document or root that hold anything, sorted."""
    skipped = len(parent) + 1
    return sorted(
        {
            collection[skipped:].partition("/")[0]
            for collection in view.documents.collections_below(parent)
            if _is_populated(view, collection)
        }
    )


def partition_points(found: Sequence[Document], wanted: int) -> list[str]:
    """At most `wanted` names that part the documents evenly, none for few documents."""
    points = min(wanted, len(found) // PARTITION_DOCUMENTS)
    return [found[len(found) * part // (points + 1)].name for part in range(1, points + 1)]


def _missing_documents(view: DocumentView, scope: QueryScope, present: Iterable[str]) -> list[Document]:
    holders = {
        name
        for collection in view.documents.collections_below(scope.parent)
        if _is_populated(view, collection)
        for name in ancestors(collection)
        if scope.covers(name)
    }
    return [Document(name=name) for name in holders.difference(present)]


def _is_populated(view: DocumentView, collection: str) -> bool:
    return next(view.documents.documents_in(collection, view.time), None) is not None


def _parse_order_by(text: str) -> list[StructuredQuery.Order]:
    """`order_by` as ListDocuments writes it: `priority desc, __name__`."""
    orders = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        path, _, direction = part.partition(" ")
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise invalid_argument(f'Invalid order "{part}".')
        orders.append(
            StructuredQuery.Order(
                field=StructuredQuery.FieldReference(field_path=path),
                direction=2 if direction.strip().lower() == "desc" else 1,
            )
        )
    return orders
