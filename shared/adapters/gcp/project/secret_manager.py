"""Secrets, their versions, and what those of the operations project hold, which is kept nowhere."""

import base64
import binascii
from datetime import datetime

from shared.adapters.gcp.rest import Answer, Rest
from shared.core.errors import Gone, Rejected
from shared.core.text import last_segment
from shared.domain.deployments.inventory.inventory_parts import SecretVersion

HOST = "secretmanager.googleapis.com"
PERMISSIONS = ("secretmanager.secrets.list", "secretmanager.versions.list")
VALUES_PERMISSIONS = ("secretmanager.versions.access",)
"""On each secret by itself: the Terraform variable `secrets` says who reads which."""

_PAGE = 1000


class _Secret(Answer):
    name: str


class _Version(Answer):
    name: str
    state: str
    create_time: datetime


class _Payload(Answer):
    data: str = ""


class _Accessed(Answer):
    payload: _Payload = _Payload()


class SecretManager:
    """SecretVersions and SecretValues over `v1` of one project."""

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

    def read(self, name: str) -> str:
        """The newest version's value. Raises: Rejected (gone, disabled, no text), Unavailable."""
        accessed = self._rest.get(f"{self._path}/{name}/versions/latest:access", _Accessed)
        try:
            return base64.b64decode(accessed.payload.data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):  # the cause would say what it holds
            raise Rejected(f"the secret {name} holds no text") from None
