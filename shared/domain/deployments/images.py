"""Where the image of a revision lies, whether it is still there, and when it is deleted; pure.

A revision stays "ready" when its image is cleaned up: it was, when it started last. Cloud Run keeps
an image of its own for as long as the revision serves
(https://cloud.google.com/run/docs/deploying, read 2026-11), and starts no instance without one.

Of the clean-up policies of Artifact Registry, a KEEP policy outweighs each DELETE policy
(https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy-overview, read
2026-11).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.core.codec import FrozenStruct
from shared.domain.deployments.deployment import Inventory, LiveFunction
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.traffic import Revision, traffic_shares

RETENTION = timedelta(days=60)
"""How long images should stay, so that recent deployments are restored without a build."""
KEEP = "KEEP"
FIREBASE_POLICY = "firebase-functions-cleanup"
OPT_OUT_LABEL = "firebase-functions-cleanup-opted-out"
"""By firebase/firebase-tools src/functions/artifacts.ts (read 2026-11)."""


class StoredImage(FrozenStruct, rename="camel"):
    """An image in a repository, as Artifact Registry shows it."""

    uri: str
    """`LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/PACKAGE@VERSION`"""
    upload_time: datetime
    tags: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """Return what all versions of it have in common, with its repository."""
        return self.uri.partition("@")[0]


StoredImages = Mapping[str, Mapping[str, StoredImage] | None]
"""Every image of a repository by each name under which it is pulled, digest or tag, per repository;
None: no answer."""

_REPOSITORY = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev/[^/]+/[^/]+(?=/)")
"""`LOCATION-docker.pkg.dev/PROJECT/REPOSITORY`, of Artifact Registry."""


def repository(image: str) -> str:
    """The repository that an image lies in; empty: none that can be looked at."""
    found = _REPOSITORY.match(image)
    return found[0] if found else ""


def repositories(images: Iterable[str]) -> list[str]:
    """Every repository that can be looked at, in order."""
    return sorted({repository(image) for image in images} - {""})


def images_of(whole: WholeInventory) -> list[str]:
    """The images of the revisions that are reached, or were."""
    return [one.image for function in whole.function_states.values() for one in function.revisions.values()]


def is_image_stored(image: str, stored: StoredImages) -> bool | None:
    """Whether an image can be pulled; None: nobody can tell."""
    known = stored.get(repository(image))
    return None if known is None else image in known


def exclude_lost_images(inventory: Inventory, stored: StoredImages) -> Inventory:
    """The inventory in which no revision is ready that is not served and whose image is gone."""
    return {
        name: replace(live, revisions=_mark_lost_images(live, stored)) for name, live in inventory.items()
    }


def _mark_lost_images(live: LiveFunction, stored: StoredImages) -> tuple[Revision, ...]:
    served = traffic_shares(live.service.serving, live.service.latest_ready)
    return tuple(
        replace(one, ready=False, lost_image=True)
        if one.name not in served and is_image_stored(one.image, stored) is False
        else one
        for one in live.revisions
    )


class CleanupCondition(FrozenStruct, rename="camel"):
    """Which images a policy is about: by name, by age in seconds (`86400s`), or by number."""

    tag_state: str = "ANY"
    tag_prefixes: tuple[str, ...] = ()
    version_name_prefixes: tuple[str, ...] = ()
    package_name_prefixes: tuple[str, ...] = ()
    older_than: str = "0s"
    newer_than: str = ""
    keep_count: int = 0

    def has_name_of(self, image: StoredImage) -> bool:
        """Return whether the condition matches the tags, version and package of the image."""
        tags, versions, packages = self.tag_prefixes, self.version_name_prefixes, self.package_name_prefixes
        return (
            self.tag_state in ("ANY", "TAG_STATE_UNSPECIFIED", "TAGGED" if image.tags else "UNTAGGED")
            and (not tags or any(tag.startswith(tags) for tag in image.tags))
            and (not versions or image.uri.partition("@")[2].startswith(versions))
            and (not packages or image.package.split("/", 3)[-1].startswith(packages))
        )


class CleanupPolicy(FrozenStruct, rename="camel"):
    """A policy as Artifact Registry shows it: it deletes, or keeps by condition or by number."""

    action: str = ""
    condition: CleanupCondition = CleanupCondition()
    most_recent_versions: CleanupCondition = CleanupCondition()


class Cleanup(FrozenStruct, rename="camel"):
    """How a repository is cleaned up."""

    cleanup_policies: dict[str, CleanupPolicy] = {}
    cleanup_policy_dry_run: bool = False
    labels: dict[str, str] = {}

    @property
    def policies(self) -> dict[str, CleanupPolicy]:
        """Return the policies that delete or keep, by id: those that are only tried do neither."""
        return {} if self.cleanup_policy_dry_run else self.cleanup_policies


def find_deletion_time(
    image: StoredImage, versions: Iterable[StoredImage], cleanup: Cleanup
) -> datetime | None:
    """Return from when on an image, one of the versions of its package, may be deleted.

    None: a policy keeps it, or none deletes it.
    """
    about = [
        one
        for one in cleanup.policies.values()
        if one.condition.has_name_of(image) and one.most_recent_versions.has_name_of(image)
    ]
    ages = [_span(one.condition.older_than) for one in about if one.action != KEEP]
    if not ages:
        return None
    until = min(ages)
    newer = [one for one in versions if one.upload_time > image.upload_time]
    for one in about:
        count = one.most_recent_versions.keep_count
        if one.action == KEEP and one.condition.newer_than:
            until = max(until, _span(one.condition.newer_than))
        elif one.action == KEEP and (
            len(newer) < count if count else _span(one.condition.older_than) <= until
        ):
            return None
    return image.upload_time + until


def retention_command(repository: str) -> str:
    """Return the command that has Cloud Functions' images stay in a repository for `RETENTION`."""
    host, project, _ = repository.split("/")
    location, days = host.removesuffix("-docker.pkg.dev"), RETENTION.days
    return f"firebase functions:artifacts:setpolicy --location {location} --days {days} --project {project}"


def _span(duration: str) -> timedelta:
    return timedelta(seconds=float(duration.removesuffix("s")))
