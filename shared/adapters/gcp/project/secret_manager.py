"""Secrets and their versions, without what they hold."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from shared.adapters.gcp.rest import Rest
from shared.core.errors import Gone
from shared.core.text import last_segment
from shared.domain.deployments.inventory.inventory_parts import SecretVersion

HOST: Final = "secretmanager.googleapis.com"
PERMISSIONS: Final = ("secretmanager.secrets.list", "secretmanager.versions.list")

_PAGE = 1000


class _Secret(Struct, frozen=True):
    name: str


class _Version(Struct, frozen=True, rename="camel"):
    name: str
    state: str
    create_time: datetime


class SecretManager:
    """SecretVersions over `v1` of one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/secrets"

    def names(self) -> list[str]:
        return [last_segment(one.name) for one in self._rest.items(self._path, "secrets", _Secret, _PAGE)]

    def versions(self, secret: str) -> dict[str, SecretVersion]:
        try:
            found = list(self._rest.items(f"{self._path}/{secret}/versions", "versions", _Version, _PAGE))
        except Gone:
            return {}
        return {last_segment(one.name): SecretVersion(one.state, one.create_time) for one in found}
