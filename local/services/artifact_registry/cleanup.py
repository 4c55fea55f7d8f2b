"""Which images the clean-up policies of a repository delete at a moment.

Shapes and rules: https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy-overview
(read 2026-11). Google applies them about once a day, this cloud at once.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import grpc
from msgspec import Struct

from local.core.grpc_services import StatusError
from local.core.rest import Resource

MAX_POLICIES: Final = 10
_DURATION = re.compile(r"[0-9]+(\.[0-9]{1,9})?s")
_CONDITIONS = frozenset(
    ("tagState", "tagPrefixes", "versionNamePrefixes", "packageNamePrefixes", "olderThan", "newerThan")
)
_NEWEST = frozenset(("packageNamePrefixes", "keepCount"))
_POLICY = frozenset(("id", "action", "condition", "mostRecentVersions"))


class PushedImage(Struct, frozen=True):
    """A version of a package; here none has a tag."""

    package: str
    version: str
    uploaded_at: datetime


def check_policies(policies: Mapping[str, Resource]) -> None:
    """Return if a repository may have these policies. Raises: StatusError INVALID_ARGUMENT."""
    if len(policies) > MAX_POLICIES:
        raise _refused(f"a repository has at most {MAX_POLICIES} cleanup policies")
    for name, policy in policies.items():
        condition, newest = policy.get("condition", {}), policy.get("mostRecentVersions", {})
        unknown = {*policy} - _POLICY | {*condition} - _CONDITIONS | {*newest} - _NEWEST
        if unknown or policy.get("id", name) != name:
            raise _refused(f"cleanup policy {name}: there is no field {', '.join(sorted(unknown)) or 'id'}")
        if policy.get("action") not in ("DELETE", "KEEP"):
            raise _refused(f"cleanup policy {name}: action is DELETE or KEEP")
        if newest and (condition or policy["action"] != "KEEP"):
            raise _refused(f"cleanup policy {name}: mostRecentVersions stands alone, in a KEEP policy")
        for field in ("olderThan", "newerThan"):
            if not _DURATION.fullmatch(str(condition.get(field, "0s"))):
                raise _refused(f"cleanup policy {name}: {field} is no duration in seconds")


def find_deleted(
    policies: Iterable[Resource], images: Iterable[PushedImage], now: datetime
) -> list[PushedImage]:
    """Return the images that a policy deletes now and none keeps."""
    every, rules = list(images), list(policies)
    return [
        image
        for image in every
        if any(_applies(one, image, every, now) for one in rules if one["action"] == "DELETE")
        and not any(_applies(one, image, every, now) for one in rules if one["action"] == "KEEP")
    ]


def _applies(policy: Resource, image: PushedImage, every: Iterable[PushedImage], now: datetime) -> bool:
    newest = policy.get("mostRecentVersions")
    if newest is not None:
        newer = [one for one in every if one.package == image.package and one.uploaded_at > image.uploaded_at]
        return _begins(image.package, newest) and len(newer) < int(newest.get("keepCount", 0))
    condition: Mapping[str, Any] = policy.get("condition", {})
    age = now - image.uploaded_at
    return (
        condition.get("tagState", "ANY") in ("ANY", "UNTAGGED", "TAG_STATE_UNSPECIFIED")
        and not condition.get("tagPrefixes")
        and _begins(image.package, condition)
        and image.version.startswith(tuple(condition.get("versionNamePrefixes", ("",))))
        and age >= _seconds(condition.get("olderThan", "0s"))
        and ("newerThan" not in condition or age < _seconds(condition["newerThan"]))
    )


def _begins(package: str, condition: Mapping[str, Any]) -> bool:
    return package.startswith(tuple(condition.get("packageNamePrefixes", ("",))))


def _seconds(duration: str) -> timedelta:
    return timedelta(seconds=float(duration[:-1]))


def _refused(why: str) -> StatusError:
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, why)
