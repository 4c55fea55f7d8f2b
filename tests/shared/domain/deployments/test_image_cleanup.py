"""When images are deleted, compared with how the embedded cloud itself reads the same policies."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from local.services.artifact_registry.cleanup import PushedImage, find_deleted
from shared.core.codec import from_builtins
from shared.domain.deployments.images import Cleanup, StoredImage, find_deletion_time
from tests.support.fakes.runtime.clock import START

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
PLACE = "europe-west1-docker.pkg.dev/shop/gcf-artifacts"
OLD, NEW = (StoredImage(f"{PLACE}/shop__pay@sha256:{n}", START + n * DAY) for n in (1, 2))
OTHER = StoredImage(f"{PLACE}/shop__mail@sha256:3", START + 3 * DAY)
STORED = (OLD, NEW, OTHER)


def pushed_image(one: StoredImage) -> PushedImage:
    package, _, version = one.uri.rpartition("/")[2].partition("@")
    return PushedImage(package, version, one.upload_time)


def deleting(days: int, **condition: Any) -> dict[str, Any]:
    return {"action": "DELETE", "condition": {"olderThan": f"{days * 86400}s", **condition}}


def keeping(**condition: Any) -> dict[str, Any]:
    return {"action": "KEEP", "condition": condition}


def newest(count: int, **names: Any) -> dict[str, Any]:
    return {"action": "KEEP", "mostRecentVersions": {"keepCount": count, **names}}


@pytest.mark.parametrize(
    ("policies", "after"),
    [
        ({}, None),
        ({"a": deleting(1)}, 1),
        ({"a": deleting(60), "b": deleting(30)}, 30),
        ({"a": deleting(1, tagState="UNTAGGED")}, 1),
        ({"a": deleting(1, tagState="TAGGED")}, None),
        ({"a": deleting(1, tagPrefixes=["v"])}, None),
        ({"a": deleting(1, packageNamePrefixes=["shop__pay"])}, 1),
        ({"a": deleting(1, packageNamePrefixes=["shop__mail"])}, None),
        ({"a": deleting(1, versionNamePrefixes=["sha256:1"])}, 1),
        ({"a": deleting(1, versionNamePrefixes=["sha256:9"])}, None),
        ({"a": deleting(1), "b": newest(2)}, None),
        ({"a": deleting(1), "b": newest(1)}, 1),
        ({"a": deleting(1), "b": newest(2, packageNamePrefixes=["shop__mail"])}, 1),
        ({"a": deleting(1), "b": keeping(newerThan="432000s")}, 5),
        ({"a": deleting(1), "b": keeping(versionNamePrefixes=["sha256:1"])}, None),
        ({"a": deleting(1), "b": keeping(tagState="TAGGED")}, 1),
        ({"a": deleting(9), "b": keeping(olderThan="432000s")}, None),
        ({"a": keeping()}, None),
    ],
)
def test_when_an_image_is_deleted(policies: Mapping[str, Any], after: int | None) -> None:
    """So many days after its upload, as the embedded cloud does it, or never."""
    cleanup = from_builtins({"cleanupPolicies": policies}, Cleanup)
    pushed = [pushed_image(one) for one in STORED]

    found = find_deletion_time(OLD, (OLD, NEW), cleanup)

    assert found == (None if after is None else OLD.upload_time + after * DAY)
    for moment in (START + 100 * DAY,) if found is None else (found - SECOND, found):
        is_deleted = pushed[0] in find_deleted(policies.values(), pushed, moment)
        assert is_deleted is (found is not None and moment >= found)


def test_an_image_with_tags() -> None:
    """A policy of tagged images is about it."""
    tagged = StoredImage(OLD.uri, OLD.upload_time, ("version_1",))
    policies = {"a": deleting(1, tagState="TAGGED", tagPrefixes=["version_"])}

    found = find_deletion_time(tagged, [tagged], from_builtins({"cleanupPolicies": policies}, Cleanup))

    assert found == OLD.upload_time + DAY


def test_policies_that_are_only_tried() -> None:
    """Nothing is deleted."""
    shown = {"cleanupPolicies": {"a": deleting(1)}, "cleanupPolicyDryRun": True}

    assert find_deletion_time(OLD, [OLD], from_builtins(shown, Cleanup)) is None
