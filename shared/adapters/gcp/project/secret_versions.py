"""Secrets and their versions, without what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from shared.adapters.gcp.rest import Rest
from shared.core.errors import Gone
from shared.domain.deployments.inventory.inventory_parts import SecretVersion

HOST: Final = "secretmanager.googleapis.com"
PERMISSIONS: Final = ("secretmanager.secrets.list", "secretmanager.versions.list")

_PAGE = 1000


class _Secret(Struct, frozen=True):
    name: str


class _SecretPage(Struct, frozen=True, rename="camel"):
    secrets: list[_Secret] = []
    next_page_token: str = ""


class _Version(Struct, frozen=True, rename="camel"):
    name: str
    state: str
    create_time: datetime


class _VersionPage(Struct, frozen=True, rename="camel"):
    versions: list[_Version] = []
    next_page_token: str = ""


class SecretManager:
    """SecretVersions over `v1` of one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/secrets"

    def names(self) -> list[str]:
        pages = self._rest.pages(self._path, _SecretPage, _PAGE)
        return [_short(one.name) for page in pages for one in page.secrets]

    def versions(self, secret: str) -> dict[str, SecretVersion]:
        try:
            pages = list(self._rest.pages(f"{self._path}/{secret}/versions", _VersionPage, _PAGE))
        except Gone:
            return {}
        return {
            _short(one.name): SecretVersion(one.state, one.create_time)
            for page in pages
            for one in page.versions
        }


def _short(name: str) -> str:
    return name.rpartition("/")[2]
