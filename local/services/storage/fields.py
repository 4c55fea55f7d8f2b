"""The fields of buckets and objects that a client may set, and what a patch makes of them.

https://cloud.google.com/storage/docs/json_api/v1/buckets and …/objects (read 2026-11).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from local.services.storage.errors import invalid_request
from local.services.storage.values import find_location_type
from shared.core.codec import from_builtins

StorageClass = Literal[
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
]
_RETENTION_BELOW_SECONDS = 3_155_760_000
"""A hundred years."""
_Json = dict[str, Any]
BUCKET_KINDS: Mapping[str, Any] = {
    "autoclass": _Json,
    "billing": _Json,
    "cors": list[_Json],
    "customPlacementConfig": _Json,
    "defaultEventBasedHold": bool,
    "encryption": _Json,
    "hierarchicalNamespace": _Json,
    "iamConfiguration": _Json,
    "labels": dict[str, str | None],
    "lifecycle": _Json,
    "location": str,
    "logging": _Json,
    "retentionPolicy": _Json,
    "rpo": str,
    "softDeletePolicy": _Json,
    "storageClass": StorageClass,
    "versioning": dict[str, bool],
    "website": _Json,
}
OBJECT_KINDS: Mapping[str, Any] = {
    "cacheControl": str,
    "contentDisposition": str,
    "contentEncoding": str,
    "contentLanguage": str,
    "contentType": str,
    "customTime": datetime,
    "eventBasedHold": bool,
    "metadata": dict[str, str | None],
    "storageClass": StorageClass,
    "temporaryHold": bool,
}
BUCKET_ANSWERS = frozenset(
    (
        *("etag", "generation", "hardDeleteTime", "id", "kind", "locationType", "metageneration", "name"),
        *("owner", "projectNumber", "satisfiesPZI", "satisfiesPZS", "selfLink", "softDeleteTime"),
        *("timeCreated", "updated"),
    )
)
OBJECT_ANSWERS = frozenset(
    (
        *("bucket", "componentCount", "crc32c", "etag", "generation", "hardDeleteTime", "id", "kind"),
        *("md5Hash", "mediaLink", "metageneration", "name", "owner", "retentionExpirationTime"),
        *("selfLink", "size", "softDeleteTime", "timeCreated", "timeDeleted", "timeFinalized"),
        *("timeStorageClassUpdated", "updated"),
    )
)
"""What the service sets itself: clients send it back as they read it."""


class BucketSetting(NamedTuple):
    """What a client sets of a bucket; None: nothing, and retention of 0 ends it."""

    versioned: bool | None
    retention: timedelta | None
    location: str | None
    fields: dict[str, Any]
    """All else, None for what is removed."""


def read_bucket(resource: Mapping[str, Any]) -> BucketSetting:
    """What a client sets of a bucket. Raises: Refusal 400."""
    fields = _read(resource, "bucket", BUCKET_KINDS, BUCKET_ANSWERS)
    versioned, retention = None, None
    if "versioning" in fields:
        versioned = (fields.pop("versioning") or {}).get("enabled", False)
    if "retentionPolicy" in fields:
        retention = _read_retention(fields.pop("retentionPolicy"))
    location = fields.pop("location", None)
    if location and find_location_type(location) is None:
        raise invalid_request("The specified location constraint is not valid.")
    return BucketSetting(versioned, retention, location, fields)


def _read_retention(policy: Mapping[str, Any] | None) -> timedelta:
    """How long objects stay; 0 without a policy. Raises: Refusal 400."""
    if not policy:
        return timedelta()
    if unknown := policy.keys() - {"effectiveTime", "isLocked", "retentionPeriod"}:
        raise invalid_request(f"Unknown field retentionPolicy.{min(unknown)}")
    try:
        seconds = msgspec.convert(  # noqa: TID251 - learns no type
            policy.get("retentionPeriod"),
            Annotated[int, Meta(gt=0, lt=_RETENTION_BELOW_SECONDS)],
            strict=False,
        )
    except msgspec.ValidationError as error:
        raise invalid_request(f"Invalid value for retentionPolicy.retentionPeriod: {error}") from error
    return timedelta(seconds=seconds)


def read_object_fields(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What a client sets of an object; None removes a field. Raises: Refusal 400."""
    return _read(resource, "object", OBJECT_KINDS, OBJECT_ANSWERS)


def merge(stored: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A resource with a JSON merge patch (RFC 7396): None removes, objects merge by key."""
    merged = dict(stored)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _read(
    resource: Mapping[str, Any], what: str, kinds: Mapping[str, Any], answers: frozenset[str]
) -> dict[str, Any]:
    """The fields that are stored; one that is not is refused, unless it says nothing."""
    fields: dict[str, Any] = {}
    for name, value in resource.items():
        if name in kinds:
            try:
                known = value if value is None else from_builtins(value, kinds[name])
            except msgspec.ValidationError as error:
                raise invalid_request(f"Invalid value for {name}: {error}") from error
            fields[name] = value if isinstance(known, datetime) else known
        elif value and name not in answers:
            raise invalid_request(f"The embedded cloud does not store '{name}' of a {what}.")
    return fields
