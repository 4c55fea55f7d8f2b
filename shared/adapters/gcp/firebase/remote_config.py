"""The client template of Firebase Remote Config."""

import msgspec

from shared.adapters.gcp.errors import RECHECKED_EFFECT_ERRORS
from shared.adapters.gcp.rest import Rest
from shared.core.codec import JsonObject, from_json
from shared.core.errors import Rejected
from shared.domain.deployments.inventory.inventory_parts import (
    RemoteConfigTemplate,
    json_fingerprint,
    stored_text,
)

HOST = "firebaseremoteconfig.googleapis.com"
PERMISSIONS = ("cloudconfig.configs.get",)
WRITE_PERMISSIONS = (*PERMISSIONS, "cloudconfig.configs.update")

_ANY_ETAG = "*"


class FirebaseRemoteConfig:
    """A RemoteConfig over `v1` of one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/remoteConfig"

    def template(self) -> RemoteConfigTemplate:
        """What is published; where nothing ever was, an empty template of version "0"."""
        template, etag = self._rest.get_with_etag(self._path, JsonObject)
        version = template.pop("version", {})
        number = version.get("versionNumber", "0") if isinstance(version, dict) else "0"
        content = msgspec.json.encode(template).decode()
        return RemoteConfigTemplate(str(number), etag, json_fingerprint(template), stored_text(content))

    def publish(self, content: str, etag: str, *, dry_run: bool = False) -> None:
        """Publish over the template that is still at `etag`; an etag for anything is refused here.

        A stale one is refused as VERSION_MISMATCH: 400 and FAILED_PRECONDITION, 409 or 412,
        depending on whom one asks; each of them means Moved.
        """
        if etag in ("", _ANY_ETAG):
            raise Rejected("a template is published over a known one only")
        self._rest.send_change(
            "PUT",
            self._path,
            from_json(content, JsonObject),
            query={"validateOnly": "true"} if dry_run else None,
            headers={"If-Match": etag},
            meanings=RECHECKED_EFFECT_ERRORS,
        )
