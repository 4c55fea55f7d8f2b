"""Firebase Remote Config, `v1`: one client template per project, every version kept.

Shapes: https://firebase.google.com/docs/reference/remote-config/rest/v1/projects (read 2026-11);
the refusal of a stale etag as the tests of firebase-admin-node quote it.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import grpc
from msgspec import Struct

from local.application import names
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.rest import (
    PAGE_PARAMETERS,
    Resource,
    RestMethod,
    RestReply,
    RestRequest,
    build_list_response,
    invalid_argument,
)

HOST = "firebaseremoteconfig.googleapis.com"
MAX_PAGE_SIZE = 300
_SETTABLE = {"conditions": list[Resource], "parameters": Resource, "parameterGroups": Resource}


class _Version(Struct, rename="camel", forbid_unknown_fields=True):
    """A version as clients send it back: they set its description alone."""

    description: str = ""
    version_number: str = ""
    update_time: str = ""
    update_user: dict[str, Any] = {}
    update_origin: str = ""
    update_type: str = ""
    rollback_source: str = ""
    is_legacy: bool = False


class RemoteConfigService:
    """The templates of every project. Versions are never forgotten here."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._clock = clock
        self._shelf = ResourceStore(journal, "remote-config")

    def provision(self, project: str, since: datetime) -> None:
        """Give a project a first template, unless it has one."""
        with self._shelf.lock:
            if not self._versions(project):
                self._publish(project, {"parameters": {}}, "INCREMENTAL_UPDATE", since)

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        template = "/v1/projects/{project}/remoteConfig"
        return (
            RestMethod("projects.getRemoteConfig", "GET", template, self._get, {}, ("versionNumber",)),
            RestMethod(
                *("projects.updateRemoteConfig", "PUT", template, self._put),
                *({**_SETTABLE, "version": _Version}, ("validateOnly",)),
            ),
            RestMethod(
                *("projects.remoteConfig.rollback", "POST", f"{template}:rollback", self._rollback),
                *({"versionNumber": str | int}, ("versionNumber",)),
            ),
            RestMethod(
                *("projects.remoteConfig.listVersions", "GET", f"{template}:listVersions", self._list),
                parameters=PAGE_PARAMETERS,
            ),
        )

    def _get(self, request: RestRequest) -> RestReply:
        """The newest template, or that of `versionNumber`; its etag is a header."""
        project, asked = request.ids["project"], request.query.get("versionNumber", "")
        with self._shelf.lock:
            versions = self._versions(project)
            if not asked:
                return _reply(project, versions[-1] if versions else {})
            return _reply(project, _find_version(versions, asked))

    def _put(self, request: RestRequest) -> RestReply:
        """The template published, if it is still at the etag of `If-Match` (`*`: at any)."""
        project, known = request.ids["project"], request.headers.get("if-match", "")
        with self._shelf.lock:
            versions = self._versions(project)
            newest = versions[-1] if versions else {}
            if not known:
                raise invalid_argument("If-Match is missing: an etag, or *")
            if known not in ("*", _etag(project, newest)):
                raise StatusError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"[VERSION_MISMATCH]: Expected version {known.rpartition('-')[2]},"
                    f" found {_number(newest)} for project: {names.project_number(project)}",
                )
            template = {key: request.body[key] for key in _SETTABLE if key in request.body}
            if request.query.get("validateOnly") == "true":
                return RestReply(template, {"ETag": f"{_etag(project, newest).rpartition('-')[0]}-0"})
            described = request.body.get("version", {}).get("description", "")
            more = {"description": described} if described else {}
            self._publish(project, template, "INCREMENTAL_UPDATE", self._clock.now(), more)
            return _reply(project, self._versions(project)[-1])

    def _rollback(self, request: RestRequest) -> RestReply:
        """An older template published again as a new version; nothing can make it conditional."""
        project, query = request.ids["project"], request.query
        asked = str(request.body.get("versionNumber") or query.get("versionNumber", ""))
        with self._shelf.lock:
            versions = self._versions(project)
            source = _find_version(versions, asked)
            if source is versions[-1]:
                raise invalid_argument(f"version {asked} is the current one")
            template = {key: source[key] for key in _SETTABLE if key in source}
            self._publish(project, template, "ROLLBACK", self._clock.now(), {"rollbackSource": asked})
            return _reply(project, self._versions(project)[-1])

    def _list(self, request: RestRequest) -> Resource:
        """Versions without their templates, the newest first."""
        versions = [
            {"name": one["name"], **one["version"]}
            for one in reversed(self._versions(request.ids["project"]))
        ]
        page = build_list_response(request, "versions", versions, MAX_PAGE_SIZE)
        for shown in page.get("versions", ()):
            del shown["name"]
        return page

    def _versions(self, project: str) -> list[Resource]:
        """Every version kept, the oldest first."""
        return self._shelf.below(f"projects/{project}/remoteConfig")

    def _publish(
        self,
        project: str,
        template: Resource,
        kind: str,
        at: datetime,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        number = len(self._versions(project)) + 1
        version = {
            "versionNumber": str(number),
            "updateTime": written_time(at),
            "updateUser": {"email": f"deployer@{project}.iam.gserviceaccount.com"},
            "updateOrigin": "REST_API",
            "updateType": kind,
            **more,
        }
        name = f"projects/{project}/remoteConfig/{number:09d}"
        self._shelf.put({"name": name, **template, "version": version})


def _reply(project: str, kept: Resource) -> RestReply:
    body = {key: value for key, value in kept.items() if key != "name"}
    return RestReply(body, {"ETag": _etag(project, kept)})


def _etag(project: str, kept: Resource) -> str:
    return f"etag-{names.project_number(project)}-{_number(kept)}"


def _number(kept: Resource) -> str:
    """The version's number; "0" where nothing was ever published."""
    return str(kept["version"]["versionNumber"]) if kept else "0"


def _find_version(versions: list[Resource], number: str) -> Resource:
    """Raises: Refused NOT_FOUND."""
    found = next((one for one in versions if _number(one) == number), None)
    if found is None:
        raise StatusError(grpc.StatusCode.NOT_FOUND, f"Version {number} was not found.")
    return found
