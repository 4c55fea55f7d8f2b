"""Objects copied from bucket to bucket inside Cloud Storage, with no retry of the client's own."""

from dataclasses import dataclass
from typing import Any

from shared.adapters.gcp.storage import objects
from shared.core.errors import Ambiguous
from shared.domain.data.backups.backup_records import ObjectMetadata

SOURCE_PERMISSIONS = ("storage.objects.get", "storage.objects.list")
"""In the bucket that is copied from."""
TARGET_PERMISSIONS = (
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)
"""In the bucket that is copied to: replacing what is left of a copy takes `delete`."""

WRITE_PERMISSIONS = ("storage.objects.create",)
"""In the bucket that is written into, under names that are free."""
HOLD_PERMISSIONS = (*SOURCE_PERMISSIONS, "storage.objects.update")
"""To hold what is listed
(https://cloud.google.com/storage/docs/holding-objects, read 2026-11)."""

COPY_TIMEOUT_SECONDS = 60.0
"""Google asks for a limit of at least 30 s, and does not say how much one call copies
(cloud.google.com/storage/docs/json_api/v1/objects/rewrite, read 2026-11-25)."""

_EFFECT: objects.HttpStatusErrors = {
    **objects.HTTP_READ_ERRORS,
    **dict.fromkeys((500, 502, 503, 504), Ambiguous),
}


@dataclass
class BucketMirrors:
    """A Mirrors over every bucket that the account may use."""

    _client: Any

    def list_objects(self, bucket: str, prefix: str) -> dict[str, ObjectMetadata]:
        found = objects.list_blobs(self._client, bucket, prefix)
        return {blob.name: ObjectMetadata(blob.size, blob.crc32c) for blob in found}

    def copy(self, source: str, name: str, target: str, token: str = "") -> str:
        with objects.translate_http_errors(_EFFECT, Ambiguous):
            made, origin = self._client.bucket(target).blob(name), self._client.bucket(source).blob(name)
            left, _, _ = made.rewrite(origin, token or None, timeout=COPY_TIMEOUT_SECONDS, retry=None)
        return left or ""

    def write(self, bucket: str, name: str, content: bytes) -> None:
        objects.BucketObjects(self._client, bucket).create(name, content)

    def hold(self, bucket: str, name: str, *, held: bool) -> None:
        blob = self._client.bucket(bucket).blob(name)
        blob.temporary_hold = held
        with objects.translate_http_errors(_EFFECT, Ambiguous):
            blob.patch(**objects.CALL_ONCE)
