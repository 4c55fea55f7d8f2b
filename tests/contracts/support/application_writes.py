"""What an application writes into its own Firestore, behind the adapters."""

from collections.abc import Mapping
from typing import Any

from google.cloud.firestore_v1 import types

from shared.adapters.gcp.firestore.values import write_fields


def commit(client: Any, database: str, documents: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Each document as it is from now on, by its path; None: deleted. `client` is Google's."""
    request = types.CommitRequest.pb()(database=database)
    for path, fields in documents.items():
        write, name = request.writes.add(), f"{database}/documents/{path}"
        if fields is None:
            write.delete = name
        else:
            write.update.name = name
            write_fields(write.update.fields, fields)
    client.commit(request, retry=None)
