"""Firebase Rules."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from shared.gcp.rest import Rest
from shared.inventory import RulesRelease

HOST: Final = "firebaserules.googleapis.com"
PERMISSIONS: Final = ("firebaserules.releases.list",)

_PAGE = 100


class _Release(Struct, frozen=True, rename="camel"):
    name: str
    ruleset_name: str
    update_time: datetime


class _Releases(Struct, frozen=True, rename="camel"):
    releases: list[_Release] = []
    next_page_token: str = ""


class FirebaseRules:
    """A Rules over `v1` of one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/releases"

    def releases(self) -> dict[str, RulesRelease]:
        """Every release of the project, by name: `cloud.firestore`, `firebase.storage/BUCKET`."""
        return {
            one.name.partition("/releases/")[2]: RulesRelease(
                one.ruleset_name.rpartition("/")[2], one.update_time
            )
            for page in self._rest.pages(self._path, _Releases, _PAGE)
            for one in page.releases
        }
