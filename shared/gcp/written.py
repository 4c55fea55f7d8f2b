"""Documents of Firestore by when they were written, which no query asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from google.cloud.firestore_v1 import types

from shared.errors import Rejected
from shared.estate import MOST_READ
from shared.gcp.answers import READ, translated

PERMISSIONS: Final = ("datastore.entities.get", "datastore.entities.list")

READ_SECONDS: Final = 5.0
"""Whoever is to be asked waits for it."""

_Request = types.RunQueryRequest.pb()
_Response = types.RunQueryResponse.pb
_Selector = types.StructuredQuery.CollectionSelector.pb()
_NAME = "__name__"


class FirestoreDocuments:
    """A Documents over the databases of one project. The client's own retries are off."""

    def __init__(self, firestore: Any, project: str) -> None:
        self._firestore = firestore
        self._project = project

    def written_since(self, database: str, collection: str, since: datetime) -> tuple[str, ...]:
        """By one query that reads nothing but the names; each document is paid for."""
        name = f"projects/{self._project}/databases/{database}"
        request = _Request(parent=f"{name}/documents")
        query = request.structured_query
        query.from_.append(_Selector(collection_id=collection, all_descendants=True))
        query.select.fields.add(field_path=_NAME)
        query.limit.value = MOST_READ + 1
        with translated(READ):
            answers = self._firestore.run_query(
                request,
                retry=None,
                timeout=READ_SECONDS,
                metadata=(("google-cloud-resource-prefix", name),),
            )
            found = [one.document for one in map(_Response, answers) if one.HasField("document")]
        if len(found) > MOST_READ:
            raise Rejected(f"{collection} has more than {MOST_READ} documents")
        return tuple(
            one.name.partition("/documents/")[2]
            for one in found
            if one.update_time.ToDatetime(UTC) > since
        )
