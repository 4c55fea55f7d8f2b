"""The client template of Firebase Remote Config."""

from __future__ import annotations

from typing import Any, Final

from shared.gcp.rest import Rest
from shared.inventory import RemoteConfigTemplate, fingerprint

HOST: Final = "firebaseremoteconfig.googleapis.com"
PERMISSIONS: Final = ("cloudconfig.configs.get",)


class FirebaseRemoteConfig:
    """A RemoteConfig over `v1` of one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v1/projects/{project}/remoteConfig"

    def template(self) -> RemoteConfigTemplate:
        """What is published; where nothing ever was, an empty template of version "0"."""
        template, etag = self._rest.tagged(self._path, dict[str, Any])
        version = template.pop("version", {})
        number = version.get("versionNumber", "0") if isinstance(version, dict) else "0"
        return RemoteConfigTemplate(str(number), etag, fingerprint(template))
