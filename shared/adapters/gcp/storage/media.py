"""Whether files of an application can be read: by the first byte of each."""

from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, NotFound, RequestRangeNotSatisfiable

from shared.adapters.gcp.storage.objects import CALL_ONCE, translate_http_errors

PERMISSIONS = ("storage.objects.get", "storage.objects.list")
"""In the buckets that are declared. Without `list` what is absent is forbidden, and so unknown
(https://cloud.google.com/storage/docs/json_api/v1/status-codes, read 2026-11)."""

_INCONCLUSIVE_STATUSES = frozenset({401, 403, 408, 429, *range(500, 600)})
"""Statuses that tell of us, or of the moment, and not of the file."""


@dataclass
class BucketMedia:
    """A Media over every bucket that the account may read."""

    _client: Any

    def unreadable_reason(self, bucket: str, name: str) -> str:
        blob = self._client.bucket(bucket).blob(name)
        with translate_http_errors():
            try:
                blob.download_as_bytes(start=0, end=0, raw_download=True, checksum=None, **CALL_ONCE)
            except NotFound:
                return "it is not there"
            except RequestRangeNotSatisfiable:
                return "it is empty"
            except GoogleAPICallError as error:
                if error.code in _INCONCLUSIVE_STATUSES:
                    raise
                return f"it cannot be read ({error.code})"
        return ""
