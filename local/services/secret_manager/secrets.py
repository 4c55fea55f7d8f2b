"""Secret Manager, `v1`: secrets, the states of their versions, payloads until the cloud stops.

Shapes: firebase/firebase-tools src/gcp/secretManager.ts (read 2026-11).
"""

import base64
import uuid
from datetime import datetime
from typing import Any

import google_crc32c
import grpc
from msgspec import Struct

from local.application.names import project_number
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.iam_policies import IamPolicies
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.resources import Change, Kind, ResourceCollection
from local.core.rest import (
    PAGE_PARAMETERS,
    Resource,
    RestMethod,
    RestRequest,
    build_list_response,
    invalid_argument,
)

HOST = "secretmanager.googleapis.com"
MAX_PAGE_SIZE = 25_000
MAX_PAYLOAD_BYTES = 64 * 1024
DESTROYED = "DESTROYED"


class _Payload(Struct, forbid_unknown_fields=True):
    data: str = ""
    dataCrc32c: str | int = ""  # noqa: N815 - Google's name


def _complete(change: Change) -> Resource:
    """A secret keeps the replication that it was made with."""
    replication = change.after["replication"]
    if {*replication} - {"automatic", "userManaged"} or len(replication) != 1:
        raise invalid_argument("replication must be automatic or userManaged")
    return {} if change.before else {"createTime": written_time(change.at)}


KIND = Kind(
    calls="projects.secrets",
    schema="secretmanager.v1.Secret",
    path="/v1/projects/{project}/secrets",
    id_query="secretId",
    id_pattern=r"[A-Za-z0-9_-]{1,255}",
    is_numbered=True,
    fields={
        "annotations": dict[str, str],
        "expireTime": datetime,
        "labels": dict[str, str],
        "replication": dict[str, dict[str, Any]],
        "rotation": dict[str, Any],
        "topics": list[dict[str, str]],
        "ttl": str,
        "versionAliases": dict[str, str | int],
        "versionDestroyTtl": str,
    },
    answers=("createTime", "policyMember"),
    immutable=("replication",),
    delete_parameters=("etag",),
    required=("replication",),
    has_etag=True,
    complete=_complete,
    policy="GET",
)


class Secrets(ResourceCollection):
    """The secrets of every project."""

    def __init__(self, clock: CloudClock, journal: Journal, policies: IamPolicies | None = None) -> None:
        super().__init__(KIND, ResourceStore(journal, "secrets"), clock, policies)
        self._payloads: dict[str, Resource] = {}

    def provision(self, project: str, secret: str, since: datetime) -> None:
        """Give a project a secret with one enabled version, unless it has it."""
        name = _secret_name(project, secret)
        with self._store.lock:
            if name not in self._store:
                self._store.put(_secret(name, since), _version(f"{name}/versions/1", since))

    def set_first_value(self, project: str, secret: str, value: str) -> None:
        """Let the first version of a secret hold a value; the secret is made where it is not."""
        self.provision(project, secret, self._clock.now())
        self._payloads[f"{_secret_name(project, secret)}/versions/1"] = _build_payload(value.encode())

    def has(self, project: str, secret: str) -> bool:
        """Whether a project has a secret of that id."""
        return _secret_name(project, secret) in self._store

    def is_enabled(self, project: str, bound: str) -> bool:
        """Whether `SECRET/VERSION` can be read; of a secret that nobody founded, too."""
        secret, _, version = bound.partition("/")
        name = _secret_name(project, secret)
        with self._store.lock:
            if name not in self._store:
                return True
            if version == "latest":
                version = str(len(self._store.below(f"{name}/versions")))
            path = f"{name}/versions/{version}"
            return path in self._store and self._store.find(path)["state"] == "ENABLED"

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        one = f"{KIND.path}/{{id}}"
        version = f"{one}/versions/{{version}}"
        versions, added, etag = "projects.secrets.versions", {"payload": _Payload}, {"etag": str}
        return (
            *super().calls(),
            RestMethod("projects.secrets.addVersion", "POST", f"{one}:addVersion", self._add, added),
            RestMethod(f"{versions}.list", "GET", f"{one}/versions", self._versions, {}, PAGE_PARAMETERS),
            RestMethod(f"{versions}.get", "GET", version, self._get_version),
            RestMethod(f"{versions}.access", "GET", f"{version}:access", self._access),
            RestMethod(f"{versions}.enable", "POST", f"{version}:enable", self._enable, etag),
            RestMethod(f"{versions}.disable", "POST", f"{version}:disable", self._disable, etag),
            RestMethod(f"{versions}.destroy", "POST", f"{version}:destroy", self._destroy, etag),
        )

    def delete(self, request: RestRequest) -> Resource:
        """As the base says, with the versions."""
        with self._store.lock:
            versions = self._store.below(f"{self.name_of(request)}/versions")
            answer = super().delete(request)
            self._store.write({one["name"]: None for one in versions})
        for one in versions:
            self._payloads.pop(one["name"], None)
        return answer

    def _add(self, request: RestRequest) -> Resource:
        payload = _read_payload(request.body.get("payload", {}))
        with self._store.lock:
            secret = self.find(request)
            number = len(self._store.below(f"{secret['name']}/versions")) + 1
            made = _version(f"{secret['name']}/versions/{number}", self._clock.now())
            self._store.put(made)
            self._payloads[made["name"]] = payload
            return made

    def _versions(self, request: RestRequest) -> Resource:
        """The newest first, destroyed ones too."""
        with self._store.lock:
            found = self._store.below(f"{self.find(request)['name']}/versions")
        found.sort(key=lambda one: int(one["name"].rpartition("/")[2]), reverse=True)
        return build_list_response(request, "versions", found, MAX_PAGE_SIZE)

    def _get_version(self, request: RestRequest) -> Resource:
        """A version by its number, or the newest as `latest`."""
        secret, version = self.find(request)["name"], request.ids["version"]
        if version == "latest":
            version = str(len(self._store.below(f"{secret}/versions")))
        return self._store.find(f"{secret}/versions/{version}")

    def _access(self, request: RestRequest) -> Resource:
        """What an enabled version holds."""
        with self._store.lock:
            version = self._get_version(request)
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
        with self._store.lock:
            version = self._get_version(request)
            if request.body.get("etag", version.get("etag")) != version.get("etag"):
                raise StatusError(grpc.StatusCode.ABORTED, f"{version['name']} has another etag")
            if version["state"] == DESTROYED:
                raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, f"{version['name']} is destroyed")
            gone = {"destroyTime": written_time(self._clock.now())} if state == DESTROYED else {}
            self._store.put({**version, "state": state, "etag": _new_etag(), **gone})
            return self._store.find(version["name"])


def _project_with_number(project: str) -> str:
    """Names in answers hold the project's number, whichever way it was asked for."""
    number = project if project.isdigit() else project_number(project)
    return f"projects/{number}"


def _secret_name(project: str, secret: str) -> str:
    return f"{_project_with_number(project)}/secrets/{secret}"


def _secret(name: str, at: datetime) -> Resource:
    return {"name": name, "replication": {"automatic": {}}, "createTime": written_time(at)}


def _version(name: str, at: datetime) -> Resource:
    return {"name": name, "createTime": written_time(at), "state": "ENABLED", "etag": _new_etag()}


def _new_etag() -> str:
    return f'"{uuid.uuid4().hex[:14]}"'


def _read_payload(payload: Resource) -> Resource:
    """What a version is to hold. Raises: StatusError INVALID_ARGUMENT."""
    text = payload.get("data", "").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise invalid_argument("Invalid value at 'payload.data': Base64 decoding failed") from error
    if not 0 < len(data) <= MAX_PAYLOAD_BYTES:
        raise invalid_argument(f"payload.data must have between 1 and {MAX_PAYLOAD_BYTES} bytes")
    built = _build_payload(data)
    if str(payload.get("dataCrc32c", built["dataCrc32c"])) != built["dataCrc32c"]:
        raise invalid_argument("The checksum payload.dataCrc32c does not match payload.data")
    return built


def _build_payload(data: bytes) -> Resource:
    return {"data": base64.b64encode(data).decode(), "dataCrc32c": str(google_crc32c.value(data))}
