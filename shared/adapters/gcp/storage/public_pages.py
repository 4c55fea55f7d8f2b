"""Objects in Cloud Storage that everybody reads, written in place of what was there."""

from collections.abc import Iterator
from typing import Any

import httpx

from shared.adapters.gcp.storage import objects
from shared.adapters.http import send_request
from shared.core.errors import Moved, Unavailable
from shared.ports.storage import PublicAccess

PERMISSIONS = ("storage.objects.create", "storage.objects.delete", "storage.objects.get")
"""To write in the place of an object, Cloud Storage asks for `delete` too
(https://cloud.google.com/storage/docs/access-control/iam-json, objects.insert, read 2026-11)."""

CACHE_CONTROL = "no-cache, max-age=0"
"""Public objects are kept by caches for an hour where nothing else is said
(https://cloud.google.com/storage/docs/metadata#cache-control, read 2026-11)."""

_PUT: objects.HttpStatusErrors = {**objects.HTTP_CREATE_ERRORS, 412: Moved}


class BucketPages:
    """A Pages over one bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._bucket = client.bucket(bucket)

    def generation(self, name: str) -> int:
        with objects.translate_http_errors():
            found = self._bucket.get_blob(name, **objects.CALL_ONCE)
        return int(found.generation) if found is not None else 0

    def put(self, name: str, content: bytes, content_type: str, generation: int) -> None:
        """Rejected where there is no such bucket."""
        blob = self._bucket.blob(name)
        blob.cache_control = CACHE_CONTROL
        objects.upload(blob, content, content_type, generation=generation, errors=_PUT)

    def history(self, name: str) -> Iterator[tuple[int, bytes]]:
        with objects.translate_http_errors():
            # The oldest comes first.
            for blob in reversed([*self._bucket.list_blobs(prefix=name, versions=True, **objects.CALL_ONCE)]):
                if blob.name == name:
                    yield blob.generation, objects.download(blob)

    def address(self, name: str) -> str:
        return str(self._bucket.blob(name).public_url)

    def seen(self, name: str) -> PublicAccess:
        """A redirect is not followed."""
        try:
            status, _, headers = send_request(
                "GET", self.address(name), seconds=objects.OBJECT_TIMEOUT_SECONDS
            )
        except (TimeoutError, httpx.TransportError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        return PublicAccess(status, headers.get("Content-Type", ""), headers.get("Cache-Control", ""))
