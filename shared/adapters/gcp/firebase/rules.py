"""Firebase Rules."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from shared.adapters.gcp.errors import CREATE_ERRORS
from shared.adapters.gcp.rest import Rest
from shared.core.errors import Ambiguous, Gone
from shared.core.text import last_segment
from shared.domain.deployments.inventory.inventory_parts import RulesFile, RulesRelease, RulesSource

HOST = "firebaserules.googleapis.com"
PERMISSIONS = ("firebaserules.releases.list", "firebaserules.rulesets.get")
WRITE_PERMISSIONS = (
    *PERMISSIONS,
    "firebaserules.releases.create",
    "firebaserules.releases.update",
    "firebaserules.rulesets.create",
)

_PAGE = 100


class _Release(Struct, frozen=True, rename="camel"):
    name: str
    ruleset_name: str
    update_time: datetime


class _Source(Struct, frozen=True):
    files: list[RulesFile] = []


class _Ruleset(Struct, frozen=True):
    source: _Source = _Source()


class FirebaseRules:
    """A Rules over `v1` of one project."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._project = f"projects/{project}"
        self._path = f"/v1/{self._project}/releases"

    def releases(self) -> dict[str, RulesRelease]:
        """Every release of the project, by name: `cloud.firestore`, `firebase.storage/BUCKET`."""
        return {
            one.name.partition("/releases/")[2]: RulesRelease(last_segment(one.ruleset_name), one.update_time)
            for one in self._rest.items(self._path, "releases", _Release, _PAGE)
        }

    def ruleset(self, name: str) -> RulesSource | None:
        try:
            return tuple(self._rest.get(f"/v1/{self._project}/rulesets/{name}", _Ruleset).source.files)
        except Gone:
            return None

    def create_ruleset(self, source: RulesSource) -> str:
        """The short name of a new ruleset. Throttled when the project has as many as it may."""
        files = [{"name": one.name, "content": one.content} for one in source]
        made = self._rest.send_change("POST", f"/v1/{self._project}/rulesets", {"source": {"files": files}})
        name = made.get("name")
        if not isinstance(name, str):
            raise Ambiguous("a ruleset was made, and its name was not said")
        return last_segment(name)

    def enforce(self, release: str, ruleset: str, *, new: bool = False) -> None:
        """Let a release lead to a ruleset: PATCH for one that is there, POST for a new one."""
        wanted: dict[str, Any] = {
            "name": f"{self._project}/releases/{release}",
            "rulesetName": f"{self._project}/rulesets/{ruleset}",
        }
        if new:
            self._rest.send_change("POST", self._path, wanted, meanings=CREATE_ERRORS)
        else:
            self._rest.send_change("PATCH", f"{self._path}/{release}", {"release": wanted})
