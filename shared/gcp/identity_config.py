"""The configuration of Identity Platform."""

from __future__ import annotations

from typing import Any, Final

from shared.gcp.rest import Rest
from shared.inventory import settings

HOST: Final = "identitytoolkit.googleapis.com"
PERMISSIONS: Final = ("firebaseauth.configs.get", "serviceusage.services.use")

_SAID_BY_THE_SERVER = ("name", "subtype")


class IdentityPlatform:
    """An Identity over `admin/v2` of one project, which pays for the quota too."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._project = project

    def settings(self) -> dict[str, Any]:
        """Each setting by its path; secrets do not leave this call."""
        config = self._rest.get(
            f"/admin/v2/projects/{self._project}/config",
            dict[str, Any],
            headers={"x-goog-user-project": self._project},
        )
        said = {name: value for name, value in config.items() if name not in _SAID_BY_THE_SERVER}
        return settings(said)
