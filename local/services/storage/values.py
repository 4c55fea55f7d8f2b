"""Buckets and objects as they are kept, and the resources that tell of them."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import google_crc32c
from msgspec import Struct

from local.application.names import project_number
from local.core.iam_policies import find_version

DEFAULT_CLASS = "STANDARD"
_API = "https://www.googleapis.com/storage/v1"


class Bucket(Struct, frozen=True):
    """One bucket."""

    name: str
    created_at: datetime
    updated_at: datetime
    metageneration: int = 1
    versioned: bool = False
    retention_seconds: int | None = None
    retention_from: datetime | None = None
    locked: bool = False
    location: str = "US"
    project: str = ""
    fields: dict[str, Any] = {}
    """What else was set of it, in the form of its resource: stored, and played only where said."""
    bindings: list[dict[str, Any]] = []
    """Of its IAM policy, which is kept and enforced nowhere."""


class StoredObject(Struct, frozen=True):
    """One generation of an object."""

    bucket: str
    name: str
    generation: int
    content: bytes
    content_type: str
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, str] = {}
    metageneration: int = 1
    fields: dict[str, Any] = {}
    """What else was set of it, in the form of its resource."""
    replaced_at: datetime | None = None
    """Since when it is noncurrent; None: it is the live one."""


def md5_of(content: bytes) -> str:
    """As resources and headers write it: base64."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def crc32c_of(content: bytes) -> str:
    """As resources and headers write it: base64 of four bytes, big-endian."""
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


def retention_expires_at(bucket: Bucket, stored: StoredObject) -> datetime | None:
    """When the bucket's retention lets go of an object; None without retention."""
    if bucket.retention_seconds is None:
        return None
    return stored.created_at + timedelta(seconds=bucket.retention_seconds)


def find_location_type(location: str) -> str | None:
    """What a location is, of https://cloud.google.com/storage/docs/locations (read 2026-11)."""
    if location.upper() in ("US", "EU", "ASIA"):
        return "multi-region"
    if location.upper() in ("ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"):
        return "dual-region"
    return "region" if re.fullmatch(r"[A-Z]+-[A-Z]+\d+", location.upper()) else None


def bucket_resource(bucket: Bucket) -> dict[str, Any]:
    """`storage#bucket`; numbers of 64 bits are texts, as in all JSON of Google's."""
    resource: dict[str, Any] = {
        "kind": "storage#bucket",
        "id": bucket.name,
        "name": bucket.name,
        "location": bucket.location,
        "locationType": find_location_type(bucket.location),
        "projectNumber": str(project_number(bucket.project)),
        "selfLink": f"{_API}/b/{bucket.name}",
        "storageClass": DEFAULT_CLASS,
        "timeCreated": _format_time(bucket.created_at),
        "updated": _format_time(bucket.updated_at),
        "metageneration": str(bucket.metageneration),
        "etag": etag_of(0, bucket.metageneration),
        **bucket.fields,
    }
    if bucket.versioned:
        resource["versioning"] = {"enabled": True}
    if bucket.retention_seconds is not None and bucket.retention_from is not None:
        resource["retentionPolicy"] = {
            "retentionPeriod": str(bucket.retention_seconds),
            "effectiveTime": _format_time(bucket.retention_from),
            **({"isLocked": True} if bucket.locked else {}),
        }
    return resource


def policy_resource(bucket: Bucket) -> dict[str, Any]:
    """`storage#policy`."""
    return {
        "kind": "storage#policy",
        "resourceId": f"projects/_/buckets/{bucket.name}",
        "version": find_version(bucket.bindings),
        "etag": etag_of(0, bucket.metageneration),
        "bindings": bucket.bindings,
    }


def object_resource(bucket: Bucket, stored: StoredObject) -> dict[str, Any]:
    """`storage#object`."""
    until = retention_expires_at(bucket, stored)
    optional = {
        "metadata": stored.metadata or None,
        "timeDeleted": stored.replaced_at and _format_time(stored.replaced_at),
        "retentionExpirationTime": until and _format_time(until),
    }
    return {
        "kind": "storage#object",
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "name": stored.name,
        "bucket": stored.bucket,
        "generation": str(stored.generation),
        "metageneration": str(stored.metageneration),
        "contentType": stored.content_type,
        "selfLink": f"{_API}/b/{stored.bucket}/o/{quote(stored.name, safe='')}",
        "storageClass": DEFAULT_CLASS,
        "size": str(len(stored.content)),
        "md5Hash": md5_of(stored.content),
        "crc32c": crc32c_of(stored.content),
        "etag": etag_of(stored.generation, stored.metageneration),
        "timeCreated": _format_time(stored.created_at),
        "timeFinalized": _format_time(stored.created_at),
        "updated": _format_time(stored.updated_at),
        **stored.fields,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def etag_of(generation: int, metageneration: int) -> str:
    """Of one state of an object, or of a bucket, whose generation is 0."""
    return base64.b64encode(f"{generation}/{metageneration}".encode()).decode()
