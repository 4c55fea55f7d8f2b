"""One HTTP request to Cloud Storage, and its answer."""

from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from local.services.storage.errors import unsupported_call

_OF_BUCKET = ("ifMetagenerationMatch", "ifMetagenerationNotMatch")
_OF_OBJECT = ("ifGenerationMatch", "ifGenerationNotMatch", *_OF_BUCKET)
_OF_SOURCE = tuple(one.replace("if", "ifSource", 1) for one in _OF_OBJECT)
PARAMETERS: Mapping[str, Collection[str]] = {
    "buckets.delete": _OF_BUCKET,
    "buckets.get": _OF_BUCKET,
    "buckets.getIamPolicy": ("optionsRequestedPolicyVersion",),
    "buckets.insert": ("project",),
    "buckets.list": ("maxResults", "pageToken", "prefix", "project"),
    "buckets.lockRetentionPolicy": ("ifMetagenerationMatch",),
    "buckets.patch": _OF_BUCKET,
    "buckets.setIamPolicy": (),
    "buckets.testIamPermissions": ("permissions",),
    "objects.delete": ("generation", *_OF_OBJECT),
    "objects.get": ("generation", *_OF_OBJECT),
    "objects.insert": ("contentEncoding", "name", "uploadType", "upload_id", *_OF_OBJECT),
    "objects.list": (
        *("delimiter", "endOffset", "maxResults", "pageToken", "prefix", "startOffset", "versions"),
    ),
    "objects.patch": ("generation", *_OF_OBJECT),
    "objects.rewrite": ("rewriteToken", "sourceGeneration", *_OF_OBJECT, *_OF_SOURCE),
    "projects.serviceAccount.get": (),
}
"""What each call that is served reads of a query."""
PARAMETERS_WITHOUT_EFFECT = frozenset(
    (
        *("$.xgafv", "access_token", "alt", "fields", "key", "prettyPrint", "projection", "quotaUser"),
        *("userProject",),
    )
)
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

    def require_served(self, call: str) -> None:
        """Return when nothing is asked that the call would leave out. Raises: Refusal 400.

        Preconditions are read in any case.
        """
        served = {name.lower() for name in (*PARAMETERS[call], *PARAMETERS_WITHOUT_EFFECT)}
        for name, value in self.parameters:
            if name.lower() not in served and value not in ("", "false"):
                raise unsupported_call(f"the parameter {name}")
        for name in self.headers:
            if name.startswith(_ENCRYPTION_HEADERS):
                raise unsupported_call(f"the header {name}")


class StorageAnswer(Struct, frozen=True):
    """What is sent back."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
