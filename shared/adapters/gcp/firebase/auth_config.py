"""The configuration of Identity Platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.adapters.gcp.rest import Rest
from shared.core.codec import JsonObject
from shared.core.errors import Rejected
from shared.domain.deployments.inventory.inventory_parts import flatten_settings, is_secret_path

HOST = "identitytoolkit.googleapis.com"
PERMISSIONS = ("firebaseauth.configs.get", "serviceusage.services.use")
WRITE_PERMISSIONS = (*PERMISSIONS, "firebaseauth.configs.update")

_OUTPUT_ONLY_FIELDS = ("name", "subtype")


@dataclass
class IdentityPlatform:
    """AuthSettings over `admin/v2` of one project, which pays for the quota too."""

    _rest: Rest
    _project: str

    def __post_init__(self) -> None:
        self._path = f"/admin/v2/projects/{self._project}/config"

    def settings(self) -> JsonObject:
        """Each setting by its path; secrets do not leave this call."""
        config = self._rest.get(self._path, JsonObject, headers={"x-goog-user-project": self._project})
        said = {name: value for name, value in config.items() if name not in _OUTPUT_ONLY_FIELDS}
        return flatten_settings(said)

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Set these settings; the mask names exactly them, and nothing that holds a secret.

        Without a mask the whole configuration would be replaced: no changes are refused.
        """
        faults = [path for path in changes if is_secret_path(path)]
        if faults or not changes:
            raise Rejected(f"no such change is sent: {', '.join(faults) or 'none'}")
        self._rest.send_change(
            "PATCH",
            self._path,
            _nest_settings(changes),
            query={"updateMask": ",".join(sorted(changes))},
            headers={"x-goog-user-project": self._project},
        )


def _nest_settings(changes: Mapping[str, Any]) -> JsonObject:
    """The settings at their places; one that is to be cleared is absent."""
    body: JsonObject = {}
    for path, value in changes.items():
        if value is None:
            continue
        *parents, last = path.split(".")
        place = body
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return body
