"""Firebase Rules."""

from dataclasses import dataclass
from datetime import datetime

from shared.adapters.gcp.errors import CREATE_ERRORS
from shared.adapters.gcp.rest import Answer, Rest
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


class _Release(Answer):
    name: str
    ruleset_name: str
    update_time: datetime


class _Source(Answer):
    files: list[RulesFile] = []


class _Ruleset(Answer):
    source: _Source = _Source()


@dataclass
class FirebaseRules:
    """A Rules over `v1` of one project."""

    _rest: Rest
    _project: str

    @property
    def _path(self) -> str:
        return f"/v1/projects/{self._project}"

    def releases(self) -> dict[str, RulesRelease]:
        """Every release of the project, by name: `cloud.firestore`, `firebase.storage/BUCKET`."""
        return {
            one.name.partition("/releases/")[2]: RulesRelease(last_segment(one.ruleset_name), one.update_time)
            for one in self._rest.items(f"{self._path}/releases", "releases", _Release, _PAGE)
        }

    def ruleset(self, name: str) -> RulesSource | None:
        try:
            return tuple(self._rest.get(f"{self._path}/rulesets/{name}", _Ruleset).source.files)
        except Gone:
            return None

    def create_ruleset(self, source: RulesSource) -> str:
        """The short name of a new ruleset. Throttled when the project has as many as it may."""
        files = [{"name": one.name, "content": one.content} for one in source]
        made = self._rest.send_change("POST", f"{self._path}/rulesets", {"source": {"files": files}})
        name = made.get("name")
        if not isinstance(name, str):
            raise Ambiguous("a ruleset was made, and its name was not said")
        return last_segment(name)

    def enforce(self, release: str, ruleset: str, *, new: bool = False) -> None:
        """Let a release lead to a ruleset: PATCH for one that is there, POST for a new one."""
        wanted = {
            "name": f"projects/{self._project}/releases/{release}",
            "rulesetName": f"projects/{self._project}/rulesets/{ruleset}",
        }
        if new:
            self._rest.send_change("POST", f"{self._path}/releases", wanted, meanings=CREATE_ERRORS)
        else:
            self._rest.send_change("PATCH", f"{self._path}/releases/{release}", {"release": wanted})
