"""Lists of Google's services, page by page: items, and the operations that are still shown."""

from collections.abc import Iterator
from typing import Any

from google.longrunning.operations_pb2 import ListOperationsRequest

from shared.adapters.gcp.errors import READ_TIMEOUT_SECONDS, call_once, translate_errors
from shared.core.errors import Unavailable
from shared.ports.platform import OperationState

PAGE_SIZE = 100
MAX_PAGES = 20
DONE_FILTER = "done:true"


def operation_state(operation: Any) -> OperationState:
    """How far a long-running operation has come."""
    failed = operation.HasField("error")
    error = (operation.error.message or f"status {operation.error.code}") if failed else ""
    return OperationState(done=operation.done, error=error)


def list_items(call: Any, field: str, request: dict[str, Any], max_pages: int | None = None) -> list[Any]:
    """List all items, a deadline for each page. Raises: Unavailable, also for missing parts."""
    items = []
    with translate_errors():
        for number, page in enumerate(call(request, retry=None, timeout=READ_TIMEOUT_SECONDS).pages):
            if number == max_pages:
                raise Unavailable(f"the list of {field} has more than {max_pages} pages")
            unreachable = list(getattr(page, "unreachable", ()))
            if unreachable:
                raise Unavailable(f"the list of {field} lacks {', '.join(unreachable)}")
            items += getattr(page, field)
    return items


def list_operations(client: Any, name: str, only: str = "") -> Iterator[Any]:
    """Yield a region's operations in the service's order. Raises: Unavailable for too many, too."""
    token = ""
    for _ in range(MAX_PAGES):
        request = ListOperationsRequest(name=name, filter=only, page_size=PAGE_SIZE, page_token=token)
        page = call_once(client.list_operations, request)
        yield from page.operations
        token = page.next_page_token
        if not token:
            return
    raise Unavailable(f"{name}: more than {MAX_PAGES * PAGE_SIZE} operations")


def list_database_operations(admin: Any, name: str) -> Iterator[Any]:
    """Every operation of a Firestore database; one that ends meanwhile may come twice.

    Without a filter Firestore lists what is under way or has failed, and nothing that ended well
    (https://firebase.google.com/docs/firestore/reference/rpc/google.firestore.admin.v1, read
    2026-11). Raises: as `list_operations`.
    """
    yield from list_operations(admin, name)
    yield from list_operations(admin, name, DONE_FILTER)
