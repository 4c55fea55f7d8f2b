"""Copies of sources, and values of variables, in buckets of our own in Cloud Storage."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from google.api_core.exceptions import NotFound

from shared.adapters.gcp.storage import objects
from shared.core.errors import Ambiguous, Exists, Unavailable
from shared.domain.deployments.inventory.inventory_parts import SourceObject

KEEPER_PERMISSIONS = ("storage.objects.create", "storage.objects.delete", "storage.objects.list")
"""In our own buckets. Without `get`: whoever keeps values cannot read them again."""
COPY_PERMISSIONS = ("storage.objects.get",)
"""In the buckets where Cloud Functions keeps sources."""
READ_PERMISSIONS = ("storage.objects.get",)
QUARANTINE_PERMISSIONS = (
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)
"""In the bucket of what repairs change: age removes from it, and whoever is erased is taken out."""

COPY_TIMEOUT_SECONDS = 30.0
"""Deadline of each call of a copy, the least that Google asks for. One call copies an object whole
where location and class stay the same, and else a part of it
(https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite, read 2026-11-25)."""
MAX_COPY_CALLS = 10
"""Of one copy; a source is at most a few hundred megabytes."""


class BucketVault:
    """A Vault over one bucket. The client's own retries are off."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = client.bucket(bucket)

    def copy(self, source: SourceObject, name: str) -> SourceObject:
        """Made by Cloud Storage, of just this generation."""
        origin = self._client.bucket(source.bucket).blob(source.object, generation=source.generation or None)
        made, token = self._bucket.blob(name), None
        try:
            for _ in range(MAX_COPY_CALLS):
                with objects.translate_http_errors(objects.HTTP_CREATE_ERRORS, Ambiguous):
                    token, _, _ = made.rewrite(
                        origin, token, if_generation_match=0, timeout=COPY_TIMEOUT_SECONDS, retry=None
                    )
                if token is None:
                    return self._place(made)
        except Exists:
            return self._find_existing(name)
        raise Unavailable(f"{source.object} is not copied after {MAX_COPY_CALLS} calls")

    def keep(self, name: str, content: bytes) -> SourceObject:
        made = self._bucket.blob(name)
        try:
            objects.upload(made, content)
        except Exists:
            return self._find_existing(name)
        return self._place(made)

    def read(self, kept: SourceObject) -> bytes:
        """The content, its checksum checked. Rejected where there is no such generation."""
        with objects.translate_http_errors():
            return objects.download(self._bucket.blob(kept.object, generation=kept.generation))

    def creation_times(self, prefix: str) -> dict[str, datetime]:
        return {
            blob.name: blob.time_created for blob in objects.list_blobs(self._client, self._bucket, prefix)
        }

    def remove(self, name: str) -> None:
        with objects.translate_http_errors(), suppress(NotFound):
            self._bucket.blob(name).delete(**objects.CALL_ONCE)

    def _find_existing(self, name: str) -> SourceObject:
        """The object that has the name already. Listed: who may only keep may not `get` it."""
        for blob in objects.list_blobs(self._client, self._bucket, name):
            if blob.name == name:
                return self._place(blob)
        raise Unavailable(f"{name} was there, and is gone")

    def _place(self, blob: Any) -> SourceObject:
        return SourceObject(self._bucket.name, blob.name, int(blob.generation))
