"""Downloads: an object's content, or a range of it, and the headers that describe it."""

import re
import zlib
from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime
from urllib.parse import quote

from local.services.storage.buckets import MAX_OBJECT_BYTES
from local.services.storage.requests import StorageAnswer
from local.services.storage.values import DEFAULT_CLASS, StoredObject, crc32c_of, etag_of, md5_of

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_GZIP = 16 + zlib.MAX_WBITS
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_FIELD_HEADERS = {
    "cacheControl": "Cache-Control",
    "contentDisposition": "Content-Disposition",
    "contentEncoding": "Content-Encoding",
    "contentLanguage": "Content-Language",
}


def build_media_answer(stored: StoredObject, asked: Mapping[str, str]) -> StorageAnswer:
    """The content, or the range of it that the headers ask for.

    A client that does not read gzip gets the content of an object in gzip unpacked, and whole
    (cloud.google.com/storage/docs/transcoding, read 2026-11).
    """
    headers, whole = _media_headers(stored), len(stored.content)
    if headers.get("Content-Encoding") == "gzip" and not _takes_gzip(stored, asked):
        try:
            content = zlib.decompressobj(_GZIP).decompress(stored.content, MAX_OBJECT_BYTES)
        except zlib.error:  # called gzip only
            return StorageAnswer(200, headers, stored.content)
        del headers["Content-Encoding"]
        return StorageAnswer(200, headers, content)
    place = _RANGE.fullmatch(asked.get("range", ""))
    if place is None or place.groups() == ("", ""):
        return StorageAnswer(200, headers, stored.content)
    first, last = place.groups()
    start = int(first) if first else max(0, whole - int(last))
    end = min(whole, int(last) + 1) if first and last else whole
    if start >= end:
        return StorageAnswer(416, {"Content-Range": f"bytes */{whole}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{whole}"
    return StorageAnswer(206, headers, stored.content[start:end])


def _takes_gzip(stored: StoredObject, asked: Mapping[str, str]) -> bool:
    keeps = "no-transform" in stored.fields.get("cacheControl", "")
    return keeps or "gzip" in asked.get("accept-encoding", "")


def _media_headers(stored: StoredObject) -> dict[str, str]:
    """What a download says of its object."""
    return {
        **{
            header: _quote(stored.fields[name])
            for name, header in _FIELD_HEADERS.items()
            if stored.fields.get(name)
        },
        **{f"X-Goog-Meta-{quote(name)}": _quote(value) for name, value in stored.metadata.items()},
        "Content-Type": _quote(stored.content_type),
        "ETag": etag_of(stored.generation, stored.metageneration),
        "Last-Modified": format_datetime(stored.updated_at.astimezone(UTC), usegmt=True),
        "X-Goog-Generation": str(stored.generation),
        "X-Goog-Metageneration": str(stored.metageneration),
        "X-Goog-Hash": f"crc32c={crc32c_of(stored.content)},md5={md5_of(stored.content)}",
        "X-Goog-Stored-Content-Encoding": _quote(stored.fields.get("contentEncoding") or "identity"),
        "X-Goog-Stored-Content-Length": str(len(stored.content)),
        "X-Goog-Storage-Class": stored.fields.get("storageClass", DEFAULT_CLASS),
    }


def _quote(value: str) -> str:
    """As a header holds it: one line of ASCII."""
    return quote(value, safe=_PRINTABLE)
