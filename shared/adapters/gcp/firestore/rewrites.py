"""Documents of an application's Firestore, written back under the times at which they were read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.cloud.firestore_v1 import types
from grpc import StatusCode

from shared.adapters.gcp.errors import COMMIT_ERRORS, EFFECT_ERRORS, call_once, error_for_status
from shared.adapters.gcp.firestore.values import read_time, write_fields
from shared.core.chunks import split_into_chunks
from shared.domain.data.document import REWRITE_TIMEOUT_SECONDS, Rewrite, RewriteResult

PERMISSIONS = ("datastore.entities.create", "datastore.entities.delete", "datastore.entities.update")
CREATE_PERMISSIONS = PERMISSIONS[:1]

MAX_WRITES_PER_REQUEST = 500
"""Writes of one request
(https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1, read 2026-11-26)."""
MAX_REQUEST_BYTES = 9 * 2**20
"""A request is at most 10 MiB (https://firebase.google.com/docs/firestore/quotas, read
2026-11-26)."""

_BatchRequest = types.BatchWriteRequest.pb()
_Write = types.Write.pb()
_NAMES = {code.value[0]: code.name for code in StatusCode}


@dataclass
class FirestoreRewrites:
    """A Rewrites over one project. The client's own retries are off."""

    _client: Any
    _project: str

    def rewrite(self, database: str, rewrites: Sequence[Rewrite]) -> list[RewriteResult]:
        """By BatchWrite, which is not atomic: one that is refused holds up no other."""
        name = f"projects/{self._project}/databases/{database}"
        writes = [_write(f"{name}/documents", one) for one in rewrites]
        parts = split_into_chunks(
            writes, MAX_WRITES_PER_REQUEST, MAX_REQUEST_BYTES, lambda write: int(write.ByteSize()) + 16
        )  # with its tag and length
        return [landed for some in parts for landed in self._send_writes(name, some)]

    def _send_writes(self, name: str, writes: Sequence[Any]) -> Iterator[RewriteResult]:
        answer = call_once(
            self._client.batch_write,
            _BatchRequest(database=name, writes=writes),
            errors=EFFECT_ERRORS,
            timeout=REWRITE_TIMEOUT_SECONDS,
            metadata=(("google-cloud-resource-prefix", name),),
        )
        found = types.BatchWriteResponse.pb(answer)
        for result, status in zip(found.write_results, found.status, strict=True):
            if status.code:
                code = _NAMES.get(status.code, "UNKNOWN")
                yield error_for_status(code, f"{code}: {status.message}", None, COMMIT_ERRORS)
            else:
                yield read_time(result.update_time) if result.HasField("update_time") else None


def _write(root: str, rewrite: Rewrite) -> Any:
    write, name = _Write(), f"{root}/{rewrite.path}"
    if rewrite.fields is None:
        write.delete = name
    else:
        write.update.name = name
        write_fields(write.update.fields, rewrite.fields)
    if rewrite.seen_at is None:
        write.current_document.exists = False
    else:
        write.current_document.update_time.FromDatetime(rewrite.seen_at)
    return write
