"""What secrets of the operations project hold, read when it is needed and kept nowhere."""

import base64
import binascii
from typing import Final

from msgspec import Struct

from shared.adapters.gcp.rest import Rest
from shared.core.errors import Rejected

HOST: Final = "secretmanager.googleapis.com"
PERMISSIONS: Final = ("secretmanager.versions.access",)
"""On each secret by itself: the Terraform variable `secrets` says who reads which."""


class _Payload(Struct, frozen=True):
    data: str = ""


class _Accessed(Struct, frozen=True):
    payload: _Payload = _Payload()


class SecretManagerValues:
    """SecretValues over `v1` of one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/secrets"

    def read(self, name: str) -> str:
        """The newest version's value. Raises: Rejected (gone, disabled, no text), Unavailable."""
        path = f"{self._path}/{name}/versions/latest:access"
        accessed = self._rest.get(path, _Accessed)
        try:
            return base64.b64decode(accessed.payload.data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):  # the cause would say what it holds
            raise Rejected(f"the secret {name} holds no text") from None
