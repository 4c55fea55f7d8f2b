"""What a rollback has written, batch by batch, as its journal tells: a page at a time."""

from collections.abc import Iterator
from typing import Final

from shared.core.store import Document, Query, Store
from shared.domain.data.repair import quarantine

PAGE_SIZE: Final = 20
"""Each entry is a document of up to 1 MiB."""


def read_entries_after(store: Store, rollback: str, name: str = "") -> Iterator[tuple[str, Document]]:
    """The entries whose names come after that one, by name. Raises: Unavailable."""
    while True:
        where = (("name", ">", name),)
        page = Query(quarantine.journal_path(rollback), where, order_by="name", limit=PAGE_SIZE)
        found = store.query(page)
        for document in found:
            name = document.path.rpartition("/")[2]
            yield name, document
        if len(found) < PAGE_SIZE:
            return
