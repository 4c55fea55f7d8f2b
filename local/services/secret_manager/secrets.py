"""Secret Manager, `v1`: secrets, the states of their versions, payloads until the cloud stops.

Shapes: firebase/firebase-tools src/gcp/secretManager.ts (read 2026-11).
"""

import base64
from datetime import datetime

import grpc

from local.application import names
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.rest import Resource, RestMethod, RestRequest, build_list_response

HOST = "secretmanager.googleapis.com"
MAX_PAGE_SIZE = 25_000
DESTROYED = "DESTROYED"


class Secrets:
    """The secrets of every project."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._clock = clock
        self._shelf = ResourceStore(journal, "secrets")
        self._payloads: dict[str, Resource] = {}

    def provision(self, project: str, secret: str, since: datetime) -> None:
        """Give a project a secret with one enabled version, unless it has it."""
        name = _secret_name(project, secret)
        with self._shelf.lock:
            if name not in self._shelf:
                self._shelf.put(_secret(name, since), _version(f"{name}/versions/1", since))

    def set_first_value(self, project: str, secret: str, value: str) -> None:
        """Let the first version of a secret hold a value; the secret is made where it is not."""
        self.provision(project, secret, self._clock.now())
        data = base64.b64encode(value.encode()).decode()
        self._payloads[f"{_secret_name(project, secret)}/versions/1"] = {"data": data}

    def is_enabled(self, project: str, bound: str) -> bool:
        """Whether `SECRET/VERSION` can be read; of a secret that nobody founded, too."""
        secret, _, version = bound.partition("/")
        name = _secret_name(project, secret)
        with self._shelf.lock:
            if name not in self._shelf:
                return True
            if version == "latest":
                version = str(len(self._shelf.below(f"{name}/versions")))
            path = f"{name}/versions/{version}"
            return path in self._shelf and self._shelf.find(path)["state"] == "ENABLED"

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        secrets = "/v1/projects/{project}/secrets"
        version = f"{secrets}/{{secret}}/versions/{{version}}"
        return (
            RestMethod("projects.secrets.list", "GET", secrets, self._list),
            RestMethod("projects.secrets.create", "POST", secrets, self._create),
            RestMethod("projects.secrets.addVersion", "POST", f"{secrets}/{{secret}}:addVersion", self._add),
            RestMethod(
                "projects.secrets.versions.list", "GET", f"{secrets}/{{secret}}/versions", self._versions
            ),
            RestMethod("projects.secrets.versions.get", "GET", version, self._get),
            RestMethod("projects.secrets.versions.access", "GET", f"{version}:access", self._access),
            RestMethod("projects.secrets.versions.enable", "POST", f"{version}:enable", self._enable),
            RestMethod("projects.secrets.versions.disable", "POST", f"{version}:disable", self._disable),
            RestMethod("projects.secrets.versions.destroy", "POST", f"{version}:destroy", self._destroy),
        )

    def _list(self, request: RestRequest) -> Resource:
        if request.query.get("filter"):
            raise StatusError(grpc.StatusCode.UNIMPLEMENTED, "filters are not supported")
        found = self._shelf.below(f"{_project_with_number(request.ids['project'])}/secrets")
        return build_list_response(request, "secrets", found, MAX_PAGE_SIZE)

    def _create(self, request: RestRequest) -> Resource:
        name = _secret_name(request.ids["project"], request.query.get("secretId", ""))
        with self._shelf.lock:
            if name in self._shelf:
                raise StatusError(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            self._shelf.put(_secret(name, self._clock.now()))
            return self._shelf.find(name)

    def _add(self, request: RestRequest) -> Resource:
        with self._shelf.lock:
            secret = self._find_secret(request)
            number = len(self._shelf.below(f"{secret['name']}/versions")) + 1
            made = _version(f"{secret['name']}/versions/{number}", self._clock.now())
            self._shelf.put(made)
            self._payloads[made["name"]] = request.body.get("payload") or {}
            return made

    def _versions(self, request: RestRequest) -> Resource:
        """The newest first, destroyed ones too."""
        with self._shelf.lock:
            found = self._shelf.below(f"{self._find_secret(request)['name']}/versions")
        found.sort(key=lambda one: int(one["name"].rpartition("/")[2]), reverse=True)
        return build_list_response(request, "versions", found, MAX_PAGE_SIZE)

    def _get(self, request: RestRequest) -> Resource:
        """A version by its number, or the newest as `latest`."""
        secret, version = self._find_secret(request)["name"], request.ids["version"]
        if version == "latest":
            version = str(len(self._shelf.below(f"{secret}/versions")))
        return self._shelf.find(f"{secret}/versions/{version}")

    def _access(self, request: RestRequest) -> Resource:
        """What an enabled version holds."""
        with self._shelf.lock:
            version = self._get(request)
            if version["state"] != "ENABLED":
                said = f"{version['name']} is in the state {version['state']}"
                raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, said)
            return {"name": version["name"], "payload": self._payloads.get(version["name"], {})}

    def _enable(self, request: RestRequest) -> Resource:
        return self._become(request, "ENABLED")

    def _disable(self, request: RestRequest) -> Resource:
        return self._become(request, "DISABLED")

    def _destroy(self, request: RestRequest) -> Resource:
        return self._become(request, DESTROYED)

    def _become(self, request: RestRequest, state: str) -> Resource:
        """The version in another state; what is destroyed stays so."""
        with self._shelf.lock:
            version = self._get(request)
            if version["state"] == DESTROYED:
                raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, f"{version['name']} is destroyed")
            gone = {"destroyTime": written_time(self._clock.now())} if state == DESTROYED else {}
            self._shelf.put({**version, "state": state, **gone})
            return self._shelf.find(version["name"])

    def _find_secret(self, request: RestRequest) -> Resource:
        return self._shelf.find(_secret_name(request.ids["project"], request.ids["secret"]))


def _project_with_number(project: str) -> str:
    """Names in answers hold the project's number, whichever way it was asked for."""
    number = project if project.isdigit() else names.project_number(project)
    return f"projects/{number}"


def _secret_name(project: str, secret: str) -> str:
    return f"{_project_with_number(project)}/secrets/{secret}"


def _secret(name: str, at: datetime) -> Resource:
    return {"name": name, "replication": {"automatic": {}}, "createTime": written_time(at)}


def _version(name: str, at: datetime) -> Resource:
    return {"name": name, "createTime": written_time(at), "state": "ENABLED"}
