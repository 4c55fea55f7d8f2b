"""Where the image of a revision lies, and whether it is still there; pure.

A revision stays "ready" when its image is cleaned up: it was, when it started last. Cloud Run keeps
an image of its own for as long as the revision serves
(https://cloud.google.com/run/docs/deploying, read 2026-11), and starts no instance without one.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from shared.domain.deployments.deployment import Inventory, LiveFunction
from shared.domain.deployments.inventory.inventory_parts import WholeInventory
from shared.domain.deployments.inventory.traffic import Revision

StoredImages = Mapping[str, frozenset[str] | None]
"""Every image of a repository as it is pulled, by digest and by tag, per repository; None: no
answer."""

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
    """The inventory in which no revision is ready whose image is known to be gone."""
    return {
        name: replace(live, revisions=_mark_lost_images(live, stored)) for name, live in inventory.items()
    }


def _mark_lost_images(live: LiveFunction, stored: StoredImages) -> tuple[Revision, ...]:
    return tuple(
        replace(one, ready=False, lost_image=True) if is_image_stored(one.image, stored) is False else one
        for one in live.revisions
    )
