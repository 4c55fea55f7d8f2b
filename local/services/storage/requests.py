"""One HTTP request to Cloud Storage, and its answer."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from local.services.storage.errors import unsupported_call

_SERVED_PARAMETERS = frozenset(
    (
        *("contentEncoding", "delimiter", "endOffset", "generation", "maxResults", "name"),
        *("optionsRequestedPolicyVersion", "pageToken", "permissions", "prefix", "project"),
        *("rewriteToken", "sourceGeneration", "startOffset", "uploadType", "upload_id", "versions"),
    )
)
_PARAMETERS_WITHOUT_EFFECT = frozenset(
    (
        *("$.xgafv", "access_token", "alt", "fields", "key", "prettyPrint", "projection", "quotaUser"),
        *("userProject",),
    )
)
_PRECONDITION = re.compile("if(source)?(meta)?generation(not)?match", re.IGNORECASE)
_ENCRYPTION_HEADERS = ("x-goog-encryption-", "x-goog-copy-source-encryption-")


class StorageRequest(Struct, frozen=True):
    """One HTTP request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    origin: str
    """Where the client found the service: `https://storage.googleapis.com`."""

    @property
    def path(self) -> str:
        """The path, still encoded: an object's name may hold slashes."""
        return urlsplit(self.target).path

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Each parameter, also those that are given several times."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        """The parameters by name."""
        return dict(self.parameters)

    def require_served(self) -> None:
        """Return when nothing is asked that would be left out in silence. Raises: Refusal 400."""
        for name, value in self.parameters:
            served = name in _SERVED_PARAMETERS or name in _PARAMETERS_WITHOUT_EFFECT
            if not served and not _PRECONDITION.fullmatch(name) and value not in ("", "false"):
                raise unsupported_call(f"the parameter {name}")
        for name in self.headers:
            if name.startswith(_ENCRYPTION_HEADERS):
                raise unsupported_call(f"the header {name}")


class StorageAnswer(Struct, frozen=True):
    """What is sent back."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
