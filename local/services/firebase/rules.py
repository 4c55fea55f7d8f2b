"""Firebase Rules, `v1`: rulesets that never change, and releases that say which one is in force.

Shapes: firebase/firebase-tools src/gcp/rules.ts (read 2026-11).
"""

import uuid
from datetime import datetime

import grpc
from msgspec import Struct

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.rest import (
    PAGE_PARAMETERS,
    Resource,
    RestMethod,
    RestRequest,
    build_list_response,
    invalid_argument,
    name_changed_fields,
)

HOST = "firebaserules.googleapis.com"
MAX_PAGE_SIZE = 100
CLOSED = "rules_version = '2'; service {service} {{ match /{{path=**}} {{ allow read: if false; }} }}"


class _File(Struct, forbid_unknown_fields=True):
    content: str
    name: str = ""
    fingerprint: str = ""


class _Source(Struct, forbid_unknown_fields=True):
    files: list[_File]


class _Release(Struct, forbid_unknown_fields=True):
    name: str
    rulesetName: str  # noqa: N815 - Google's name
    createTime: str = ""  # noqa: N815 - Google's name
    updateTime: str = ""  # noqa: N815 - Google's name


class RulesService:
    """The rulesets and releases of every project; what the rules say is enforced nowhere."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self.most_rulesets: int | None = None
        """How many a project may have; None: any number. The real quota is not known."""
        self._clock = clock
        self._shelf = ResourceStore(journal, "rules")

    def provision(self, project: str, release: str, since: datetime) -> None:
        """Give a project a release (`cloud.firestore`, …) of closed rules, unless it has it."""
        name = f"projects/{project}/releases/{release}"
        with self._shelf.lock:
            if name in self._shelf:
                return
            service = release.partition("/")[0]
            source = {"files": [{"name": "rules", "content": CLOSED.format(service=service)}]}
            ruleset = _ruleset(project, f"{release}/first", source, since)
            self._shelf.put(ruleset, _release(name, ruleset["name"], since))

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        releases, rulesets = "/v1/projects/{project}/releases", "/v1/projects/{project}/rulesets"
        release, ruleset = f"{releases}/{{release=**}}", f"{rulesets}/{{ruleset}}"
        made = dict.fromkeys(_Release.__struct_fields__, str)
        moved = {"release": _Release, "updateMask": str}
        written = {"source": _Source, "name": str, "createTime": str, "metadata": Resource}
        pages = PAGE_PARAMETERS
        return (
            RestMethod("projects.releases.list", "GET", releases, self._releases, {}, pages),
            RestMethod("projects.releases.get", "GET", release, self._get_release),
            RestMethod("projects.releases.create", "POST", releases, self._create_release, made),
            RestMethod("projects.releases.patch", "PATCH", release, self._patch_release, moved),
            RestMethod("projects.rulesets.list", "GET", rulesets, self._rulesets, {}, pages),
            RestMethod("projects.rulesets.get", "GET", ruleset, self._get_ruleset),
            RestMethod("projects.rulesets.create", "POST", rulesets, self._create_ruleset, written),
            RestMethod("projects.rulesets.delete", "DELETE", ruleset, self._delete_ruleset),
        )

    def _releases(self, request: RestRequest) -> Resource:
        return build_list_response(request, "releases", self._all_releases(request), MAX_PAGE_SIZE)

    def _get_release(self, request: RestRequest) -> Resource:
        return self._shelf.find(_release_name(request))

    def _create_release(self, request: RestRequest) -> Resource:
        name = str(request.body.get("name", ""))
        with self._shelf.lock:
            if not name.startswith(f"projects/{request.ids['project']}/releases/"):
                raise invalid_argument(f"'{name}' is not the name of a release")
            if name in self._shelf:
                raise StatusError(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            ruleset = self._shelf.find(str(request.body.get("rulesetName", "")))
            self._shelf.put(_release(name, ruleset["name"], self._clock.now()))
            return self._shelf.find(name)

    def _patch_release(self, request: RestRequest) -> Resource:
        """A release moved to another ruleset; nothing can make it conditional."""
        with self._shelf.lock:
            release = self._shelf.find(_release_name(request))
            asked = request.body.get("release", {})
            if asked.get("name") != release["name"]:
                raise invalid_argument("release.name must be the name in the path")
            name_changed_fields(request, ("rulesetName",), request.body.get("updateMask", ""))
            ruleset = self._shelf.find(asked["rulesetName"])
            now = written_time(self._clock.now())
            self._shelf.put({**release, "rulesetName": ruleset["name"], "updateTime": now})
            return self._shelf.find(release["name"])

    def _rulesets(self, request: RestRequest) -> Resource:
        """Rulesets without their sources, the newest first."""
        found = self._shelf.below(f"projects/{request.ids['project']}/rulesets")
        found.sort(key=lambda one: str(one["createTime"]), reverse=True)
        bare = [{key: one[key] for key in ("name", "createTime")} for one in found]
        return build_list_response(request, "rulesets", bare, MAX_PAGE_SIZE)

    def _get_ruleset(self, request: RestRequest) -> Resource:
        return self._shelf.find(_ruleset_name(request))

    def _create_ruleset(self, request: RestRequest) -> Resource:
        project, files = request.ids["project"], request.body.get("source", {}).get("files", [])
        if not files or not all(one["content"] for one in files):
            raise invalid_argument("source.files needs a file with content")
        with self._shelf.lock:
            count = len(self._shelf.below(f"projects/{project}/rulesets"))
            if self.most_rulesets is not None and count >= self.most_rulesets:
                raise StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many rulesets.")
            made = _ruleset(project, uuid.uuid4().hex, {"files": files}, self._clock.now())
            self._shelf.put(made)
            return made

    def _delete_ruleset(self, request: RestRequest) -> Resource:
        with self._shelf.lock:
            ruleset = self._shelf.find(_ruleset_name(request))
            for release in self._all_releases(request):
                if release["rulesetName"] == ruleset["name"]:
                    raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, f"{release['name']} releases it")
            self._shelf.write({ruleset["name"]: None})
            return {}

    def _all_releases(self, request: RestRequest) -> list[Resource]:
        """Release names may have parts of their own: `cloud.firestore/orders`."""
        return self._shelf.under(f"projects/{request.ids['project']}/releases/")


def _ruleset(project: str, seed: str, source: Resource, at: datetime) -> Resource:
    name = f"projects/{project}/rulesets/{uuid.uuid5(uuid.NAMESPACE_URL, f'{project}/{seed}')}"
    return {"name": name, "source": source, "createTime": written_time(at)}


def _release(name: str, ruleset: str, at: datetime) -> Resource:
    now = written_time(at)
    return {"name": name, "rulesetName": ruleset, "createTime": now, "updateTime": now}


def _release_name(request: RestRequest) -> str:
    return f"projects/{request.ids['project']}/releases/{request.ids['release']}"


def _ruleset_name(request: RestRequest) -> str:
    return f"projects/{request.ids['project']}/rulesets/{request.ids['ruleset']}"
