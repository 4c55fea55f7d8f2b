"""Where the image of a revision lies, and whether it is still there; pure.

A revision stays "ready" when its image is cleaned up: it was, when it started last. Cloud Run keeps
an image of its own for as long as the revision serves
(https://cloud.google.com/run/docs/deploying, read 2026-11), and starts no instance without one.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.domain.deployments.deployment import Inventory, LiveFunction
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.traffic import Revision, traffic_shares


class StoredImage(Struct, frozen=True, rename="camel"):
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

_REPOSITORY: Final = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev/[^/]+/[^/]+(?=/)")
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
    functions = (whole.functions or {}).values()
    return [one.image for function in functions for one in function.revisions.values()]


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
