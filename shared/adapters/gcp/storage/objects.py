"""Objects in Cloud Storage, written once: over its JSON API, with no retry of the client's own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.exceptions import DataCorruption
from requests.exceptions import RequestException

from shared.core.errors import Ambiguous, Exists, Rejected, RollbackError, Throttled, Unavailable

READ_PERMISSIONS = ("storage.objects.get", "storage.objects.list")
CREATE_PERMISSIONS = ("storage.objects.create",)
"""To create only; an account that has these has no other, and `delete` least of all."""

OBJECT_TIMEOUT_SECONDS = 5.0
"""Deadline to connect, and of each read of the answer."""
CALL_ONCE: Mapping[str, Any] = {"timeout": OBJECT_TIMEOUT_SECONDS, "retry": None}
"""The options of a call that the client sends once, within that deadline."""

HttpStatusErrors = Mapping[int, type[RollbackError]]
"""What each HTTP status means; every other one is Rejected."""

HTTP_RETRYABLE_ERRORS: HttpStatusErrors = {408: Throttled, 429: Throttled}
HTTP_READ_ERRORS: HttpStatusErrors = {
    **HTTP_RETRYABLE_ERRORS,
    **dict.fromkeys((500, 502, 503, 504), Unavailable),
}
HTTP_CREATE_ERRORS: HttpStatusErrors = {
    **HTTP_RETRYABLE_ERRORS,
    **dict.fromkeys((500, 502, 503, 504), Ambiguous),
    409: Throttled,  # another request for the same name at the same moment
    412: Exists,
}


class BucketObjects:
    """An ObjectStore over one bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = client.bucket(bucket)

    def create(self, name: str, content: bytes, content_type: str = "application/json") -> None:
        """With its checksum checked on arrival; Rejected where there is no such bucket."""
        upload(self._bucket.blob(name), content, content_type)

    def read(self, name: str) -> bytes | None:
        """The content, its checksum checked; None where there is no such object, or bucket."""
        with translate_http_errors(), suppress(NotFound):
            return download(self._bucket.blob(name))
        return None

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, ascending. Rejected where there is no such bucket."""
        return [blob.name for blob in list_blobs(self._client, self._bucket, prefix)]


@contextmanager
def translate_http_errors(
    statuses: HttpStatusErrors = HTTP_READ_ERRORS, no_answer: type[Unavailable] = Unavailable
) -> Iterator[None]:
    """The body, with each status raised as what it means, and no status as `no_answer`."""
    try:
        yield
    except GoogleAPICallError as error:
        kind = statuses.get(int(error.code or 0), Rejected)
        raise kind(f"{error.code}: {error.message}") from error
    except (RequestException, GoogleAuthError, DataCorruption) as error:
        raise no_answer(f"{type(error).__name__}: {error}") from error


def upload(
    blob: Any,
    content: bytes,
    content_type: str = "application/json",
    *,
    generation: int = 0,
    errors: HttpStatusErrors = HTTP_CREATE_ERRORS,
) -> None:
    """Write an object in the place of that generation; 0: under a name that is free."""
    with translate_http_errors(errors, Ambiguous):
        blob.upload_from_string(
            content, content_type=content_type, if_generation_match=generation, checksum="crc32c", **CALL_ONCE
        )


def download(blob: Any) -> bytes:
    """The content of an object, its checksum checked."""
    content: bytes = blob.download_as_bytes(checksum="crc32c", **CALL_ONCE)
    return content


def list_blobs(client: Any, bucket: Any, prefix: str) -> list[Any]:
    """The objects of a bucket whose names begin so."""
    with translate_http_errors():
        return list(client.list_blobs(bucket, prefix=prefix, **CALL_ONCE))
