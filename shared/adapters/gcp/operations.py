"""Long-running operations that a service still shows, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.longrunning.operations_pb2 import ListOperationsRequest

from shared.adapters.gcp.errors import READ, READ_SECONDS, translated
from shared.core.errors import Unavailable

PAGE = 100
MOST_PAGES = 20
DONE = "done:true"


def operations(client: Any, name: str, only: str = "") -> Iterator[Any]:
    """Every operation of a region, in the service's order, read as it is asked for.

    Raises: Unavailable also when there are too many: what is not read is not absent.
    """
    token = ""
    for _ in range(MOST_PAGES):
        request = ListOperationsRequest(name=name, filter=only, page_size=PAGE, page_token=token)
        with translated(READ):
            page = client.list_operations(request, retry=None, timeout=READ_SECONDS)
        yield from page.operations
        token = page.next_page_token
        if not token:
            return
    raise Unavailable(f"{name}: more than {MOST_PAGES * PAGE} operations")


def of_database(admin: Any, name: str) -> Iterator[Any]:
    """Every operation of a Firestore database; one that ends meanwhile may come twice.

    Without a filter Firestore lists what is under way or has failed, and nothing that ended well
    (https://firebase.google.com/docs/firestore/reference/rpc/google.firestore.admin.v1, read
    2026-11). Raises: as `operations`.
    """
    yield from operations(admin, name)
    yield from operations(admin, name, DONE)
