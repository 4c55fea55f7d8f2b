"""The three ways to bring an object's content: at once, with its metadata, or in chunks."""

import re
import threading
import uuid
from collections.abc import Mapping
from email.message import Message
from typing import Any

import msgspec
from msgspec import Struct

from local.services.storage.buckets import MAX_OBJECT_BYTES, Buckets
from local.services.storage.conditions import Preconditions, read_preconditions
from local.services.storage.errors import Refusal, invalid_request
from local.services.storage.fields import merge, read_object_fields
from local.services.storage.requests import StorageRequest
from local.services.storage.values import StoredObject, crc32c_of, md5_of, object_resource
from shared.core.codec import from_builtins, from_json

DEFAULT_TYPE = "application/octet-stream"
CHUNK_BYTES = 256 * 1024
"""Each chunk before the last has a multiple of it."""
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+|\*)|\*)/(\d+|\*)")


class Upload(Struct):
    """What is to become an object."""

    bucket: str
    name: str
    fields: dict[str, Any]
    """As of the object's resource."""
    conditions: Preconditions
    said_md5: str = ""
    said_crc32c: str = ""
    content: bytes = b""
    made: dict[str, Any] | None = None
    """The resource of the object; None until the last chunk is there."""


class UploadIncomplete(Struct, frozen=True):
    """The chunk was taken, and more are awaited: bytes taken so far."""

    taken: int


class Uploads:
    """Uploads in progress; those in chunks are forgotten when the cloud stops."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._lock = threading.Lock()
        self._begun: dict[str, Upload] = {}

    def finish(self, upload: Upload) -> StoredObject:
        """The new object. Raises: Refusal, when its content is not what was promised."""
        for kind, said, real in (
            ("MD5 hash", upload.said_md5, md5_of(upload.content)),
            ("CRC32C", upload.said_crc32c, crc32c_of(upload.content)),
        ):
            if said and said != real:
                raise invalid_request(f'Provided {kind} "{said}" doesn\'t match calculated {kind} "{real}".')
        fields = dict(upload.fields)
        return self._buckets.put(
            upload.bucket,
            upload.name,
            upload.content,
            fields.pop("contentType"),
            fields.pop("metadata", {}),
            upload.conditions,
            fields,
        )

    def begin(self, upload: Upload) -> str:
        """The id of an upload in chunks. Raises: Refusal for an unknown bucket."""
        self._buckets.bucket(upload.bucket)
        key = uuid.uuid4().hex
        with self._lock:
            self._begun[key] = upload
        return key

    def go_on(self, key: str, chunk: bytes, headers: Mapping[str, str]) -> dict[str, Any] | UploadIncomplete:
        """Take the next chunk; from the last on, the resource of the object. Raises: Refusal."""
        with self._lock:
            upload = self._find(key)
            if upload.made is None and self._take(upload, chunk, headers.get("content-range", "")):
                _take_hashes(upload, headers)
                stored = self.finish(upload)
                upload.made = object_resource(self._buckets.bucket(upload.bucket), stored)
                upload.content = b""
            return UploadIncomplete(len(upload.content)) if upload.made is None else upload.made

    def cancel(self, key: str) -> None:
        """Forget an upload. Raises: Refusal for an unknown one."""
        with self._lock:
            self._find(key)
            del self._begun[key]

    def _find(self, key: str) -> Upload:
        if key not in self._begun:
            raise Refusal(404, "notFound", "No such upload.")
        return self._begun[key]

    def _take(self, upload: Upload, chunk: bytes, said: str) -> bool:
        """Whether that was the last chunk; without a range the chunk is the whole content.

        `bytes */*` and `bytes */TOTAL` without content ask how far it has come; by `bytes 0-*/*`
        Node's client streams everything that is left.
        """
        if not said:
            upload.content = chunk
            return True
        place = _RANGE.fullmatch(said)
        if place is None:
            raise invalid_request(f"Failed to parse Content-Range header: {said[:100]}")
        first, last, total = place.groups()
        if first is not None:
            if last != "*" and int(last) - int(first) + 1 != len(chunk):
                raise invalid_request(f"The chunk has {len(chunk)} bytes, and not those of {said[:100]}")
            if int(first) > len(upload.content):
                raise invalid_request("A chunk before this one is missing.")
            end = int(first) + len(chunk)
            if end > MAX_OBJECT_BYTES:
                raise Refusal(413, "uploadTooLarge", f"An object has at most {MAX_OBJECT_BYTES} bytes.")
            if total != "*" and end > int(total):
                raise invalid_request(f"The chunk ends behind the {total} bytes of the content.")
            if last != "*" and str(end) != total and len(chunk) % CHUNK_BYTES:
                raise invalid_request(f"A chunk before the last one has a multiple of {CHUNK_BYTES} bytes.")
            upload.content += chunk[len(upload.content) - int(first) :]
        return last == "*" if total == "*" else len(upload.content) >= int(total)


def read_simple_upload(bucket: str, request: StorageRequest) -> Upload:
    """`uploadType=media`: the body is the content. Raises: Refusal."""
    upload = build_upload(bucket, request, request.headers.get("content-type", ""), b"")
    upload.content = request.body
    return upload


def read_multipart_upload(bucket: str, request: StorageRequest) -> Upload:
    """`uploadType=multipart`: metadata in JSON, then the content. Raises: Refusal."""
    boundary = _parameter(request.headers.get("content-type", ""), "boundary")
    line = rb"\r\n--" + re.escape(boundary.encode()) + rb"(?:--)?[ \t]*(?=\r\n|\Z)"
    parts = re.split(line, b"\r\n" + request.body) if boundary else []
    if len(parts) < 4:
        raise invalid_request("Bad multipart request: two parts are expected.")
    (_, resource), (said_type, content) = (_part(part) for part in parts[1:3])
    upload = build_upload(bucket, request, said_type, resource)
    upload.content = content
    return upload


def build_upload(bucket: str, request: StorageRequest, content_type: str, resource: bytes) -> Upload:
    """An upload by its metadata, without its content yet. Raises: Refusal."""
    query = request.query
    try:
        said: dict[str, Any] = from_json(resource or b"{}", dict[str, Any])
        name, md5, crc32c = (from_builtins(said.get(it, ""), str) for it in ("name", "md5Hash", "crc32c"))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise invalid_request(f"Parse Error: {error}") from error
    fields = merge({}, read_object_fields(said))
    fields["contentType"] = fields.get("contentType") or content_type or DEFAULT_TYPE
    if encoding := query.get("contentEncoding"):
        fields["contentEncoding"] = encoding
    name = name or query.get("name", "")
    upload = Upload(bucket, name, fields, read_preconditions(query), md5, crc32c)
    _take_hashes(upload, request.headers)
    return upload


def _take_hashes(upload: Upload, headers: Mapping[str, str]) -> None:
    """What a header promises of the content: `crc32c=…,md5=…`."""
    for said in headers.get("x-goog-hash", "").split(","):
        kind, _, value = said.strip().partition("=")
        upload.said_md5 = value if kind == "md5" else upload.said_md5
        upload.said_crc32c = value if kind == "crc32c" else upload.said_crc32c


def _part(part: bytes) -> tuple[str, bytes]:
    """Content type and content of one part, without the lines of the boundary."""
    head, _, content = part.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-type:\s*([^\r\n]+)", head)
    return (found[1].decode("latin-1").strip() if found else "", content)


def _parameter(content_type: str, name: str) -> str:
    message = Message()
    message["content-type"] = content_type
    return str(message.get_param(name, ""))
