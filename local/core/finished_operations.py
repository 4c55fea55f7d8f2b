"""Long-running operations of calls that are done at once: they are finished when they begin."""

import uuid
from typing import Any

from local.core.journal import Journal
from local.core.resource_store import ResourceStore
from local.core.rest import Resource, RestMethod, RestRequest

OPERATIONS = "/v1/projects/{project}/locations/{location}/operations"
EMPTY = "google.protobuf.Empty"


class FinishedOperations:
    """The operations of one service, none of which is ever forgotten."""

    def __init__(self, journal: Journal, kept_as: str) -> None:
        self._store = ResourceStore(journal, kept_as)

    def finish(self, parent: str, kind: str, response: dict[str, Any]) -> Resource:
        """Return a new operation below `parent` that has this response, a message of that kind."""
        name = "/".join(part for part in (parent, "operations", str(uuid.uuid4())) if part)
        packed = {"@type": f"type.googleapis.com/{kind}", **response}
        operation = {"name": name, "done": True, "response": packed}
        self._store.put(operation)
        return operation

    def calls(self, name: str, path: str = OPERATIONS) -> tuple[RestMethod, ...]:
        """What is served."""
        version = path.split("/")[1]

        def get(request: RestRequest) -> Resource:
            parent = path.removeprefix(f"/{version}/").format_map(request.ids)
            return self._store.find(f"{parent}/{request.ids['operation']}")

        return (RestMethod(name, "GET", f"{path}/{{operation}}", get),)
