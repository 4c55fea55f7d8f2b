"""Firebase Hosting, `v1beta1`: sites, versions, channels, and releases that are never conditional.

Shapes: firebase/firebase-tools src/hosting/api.ts (read 2026-11).
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Literal

import grpc

from local.application import names
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

HOST = "firebasehosting.googleapis.com"
LIVE = "live"
MAX_PAGE_SIZE = 100
RETAINED_RELEASES, MAX_RETAINED_RELEASES = 10, 100
"""The default of a channel's retainedReleaseCount, and its maximum."""

_CREATED, _FINALIZED = "CREATED", "FINALIZED"
_Status = Literal["CREATED", "FINALIZED", "DELETED", "ABANDONED", "EXPIRED", "CLONING"]
_CHANNEL_ID_PATTERN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_USER = dict[str, str]
_VERSION_FIELDS = {"config": Resource, "labels": dict[str, str]}
_VERSION_ANSWERS = {
    **dict.fromkeys(("createTime", "deleteTime", "fileCount", "finalizeTime", "name", "versionBytes"), str),
    **dict.fromkeys(("createUser", "deleteUser", "finalizeUser"), _USER),
}
_RELEASE_FIELDS = {"message": str, "name": str, "releaseTime": str, "releaseUser": _USER, "version": Resource}
_CHANNEL_FIELDS = {"expireTime": datetime, "labels": dict[str, str], "retainedReleaseCount": int, "ttl": str}
_CHANNEL_ANSWERS = {**dict.fromkeys(("createTime", "name", "updateTime", "url"), str), "release": Resource}
"""What the service sets itself: clients send it back as they read it."""


class HostingService:
    """The sites of every project; each has a live channel from its beginning."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self._clock = clock
        self._shelf = ResourceStore(journal, "hosting")
        self.served: Callable[[str, Resource], None] = lambda site, version: None
        """Told whenever everybody sees another version of a site."""

    def provision(self, project: str, site: str, since: datetime) -> None:
        """Give a project a site with one released version, unless it has it."""
        name = f"projects/{project}/sites/{site}"
        with self._shelf.lock:
            if name in self._shelf:
                return
            url = f"https://{site}.web.app"
            version = _version(f"sites/{site}/versions/{_id(site, 1)}", since)
            finalized = {**version, "status": _FINALIZED, "finalizeTime": written_time(since)}
            self._shelf.put(
                {"name": name, "defaultUrl": url, "type": "DEFAULT_SITE"},
                _channel(f"sites/{site}/channels/{LIVE}", url, since),
                finalized,
                _release(f"sites/{site}/channels/{LIVE}", finalized, "DEPLOY", since),
            )

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        site, channel = "/v1beta1/sites/{site}", "/v1beta1/sites/{site}/channels/{channel}"
        version = {**_VERSION_FIELDS, **_VERSION_ANSWERS, "status": _Status}
        channels = {**_CHANNEL_FIELDS, **_CHANNEL_ANSWERS}
        mask, pages = ("updateMask",), PAGE_PARAMETERS
        release = (_RELEASE_FIELDS, ("versionName",))
        return (
            RestMethod(
                *("projects.sites.list", "GET", "/v1beta1/projects/{project}/sites", self._sites),
                parameters=pages,
            ),
            RestMethod("projects.sites.get", "GET", "/v1beta1/projects/{project}/sites/{site}", self._site),
            RestMethod("sites.versions.list", "GET", f"{site}/versions", self._versions, {}, pages),
            RestMethod("sites.versions.get", "GET", f"{site}/versions/{{version}}", self._get_version),
            RestMethod("sites.versions.create", "POST", f"{site}/versions", self._create_version, version),
            RestMethod(
                *("sites.versions.patch", "PATCH", f"{site}/versions/{{version}}", self._change_version),
                *(version, mask),
            ),
            RestMethod("sites.versions.delete", "DELETE", f"{site}/versions/{{version}}", self._delete),
            RestMethod("sites.releases.list", "GET", f"{site}/releases", self._releases, {}, pages),
            RestMethod("sites.releases.create", "POST", f"{site}/releases", self._create_release, *release),
            RestMethod("sites.channels.list", "GET", f"{site}/channels", self._channels, {}, pages),
            RestMethod("sites.channels.get", "GET", channel, self._get_channel),
            RestMethod(
                *("sites.channels.create", "POST", f"{site}/channels", self._create_channel),
                *(channels, ("channelId",)),
            ),
            RestMethod("sites.channels.patch", "PATCH", channel, self._change_channel, channels, mask),
            RestMethod(
                "sites.channels.releases.list", "GET", f"{channel}/releases", self._releases, {}, pages
            ),
            RestMethod(
                *("sites.channels.releases.create", "POST", f"{channel}/releases", self._create_release),
                *release,
            ),
        )

    def _sites(self, request: RestRequest) -> Resource:
        found = self._shelf.below(f"projects/{request.ids['project']}/sites")
        return build_list_response(request, "sites", found, MAX_PAGE_SIZE)

    def _site(self, request: RestRequest) -> Resource:
        return self._shelf.find(f"projects/{request.ids['project']}/sites/{request.ids['site']}")

    def _versions(self, request: RestRequest) -> Resource:
        """The newest first; without a filter, whatever their status."""
        found = self._shelf.below(f"sites/{self._known(request)}/versions")
        found.sort(key=lambda one: str(one["createTime"]), reverse=True)
        return build_list_response(request, "versions", found, MAX_PAGE_SIZE)

    def _get_version(self, request: RestRequest) -> Resource:
        return self._shelf.find(_version_name(request))

    def _create_version(self, request: RestRequest) -> Resource:
        site = self._known(request)
        with self._shelf.lock:
            number = len(self._shelf.below(f"sites/{site}/versions")) + 1
            version = _version(f"sites/{site}/versions/{_id(site, number)}", self._clock.now())
            if request.body.get("status", _CREATED) != _CREATED:
                raise invalid_argument(f"a new version is {_CREATED}")
            given = {key: value for key, value in request.body.items() if key in _VERSION_FIELDS}
            self._shelf.put({**version, **given})
            return self._shelf.find(version["name"])

    def _change_version(self, request: RestRequest) -> Resource:
        """A version with another configuration or labels until it is finalised, and that done."""
        with self._shelf.lock:
            version = self._shelf.find(_version_name(request))
            changed = name_changed_fields(request, ("status", *_VERSION_FIELDS))
            if version["status"] not in (_CREATED, _FINALIZED):
                raise _failed_precondition(f"{version['name']} is {version['status']}")
            if "status" in changed and request.body.get("status") != _FINALIZED:
                raise invalid_argument(f"the status of a version only changes to {_FINALIZED}")
            fields = {key: it for key, it in request.body.items() if key in changed}
            if version["status"] == _FINALIZED and {key: version.get(key) for key in changed} != fields:
                raise _failed_precondition(f"{version['name']} is {_FINALIZED}")
            kept = {key: it for key, it in version.items() if key not in changed}
            done = {"finalizeTime": written_time(self._clock.now())} if "status" in changed else {}
            self._shelf.put({**kept, **fields, **done})
            return self._shelf.find(version["name"])

    def _delete(self, request: RestRequest) -> Resource:
        with self._shelf.lock:
            version = self._shelf.find(_version_name(request))
            if version["name"] in self._shown(request.ids["site"]):
                raise _failed_precondition(f"{version['name']} is released")
            now = written_time(self._clock.now())
            self._shelf.put({**version, "status": "DELETED", "deleteTime": now})
            return {}

    def _channels(self, request: RestRequest) -> Resource:
        parent = f"sites/{self._known(request)}/channels"
        found = [self._with_release(one) for one in self._shelf.below(parent)]
        return build_list_response(request, "channels", found, MAX_PAGE_SIZE)

    def _get_channel(self, request: RestRequest) -> Resource:
        return self._with_release(self._shelf.find(_channel_name(request)))

    def _create_channel(self, request: RestRequest) -> Resource:
        site, channel = self._known(request), request.query.get("channelId", "")
        name = f"sites/{site}/channels/{channel}"
        with self._shelf.lock:
            if not _CHANNEL_ID_PATTERN.fullmatch(channel):
                raise invalid_argument(f"channelId '{channel}' is not the id of a channel")
            if name in self._shelf:
                raise StatusError(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            mark = names.base36(name, 8)
            made = _channel(name, f"https://{site}--{channel}-{mark}.web.app", self._clock.now())
            self._shelf.put(self._with_fields(made, request, _CHANNEL_FIELDS))
            return self._shelf.find(name)

    def _change_channel(self, request: RestRequest) -> Resource:
        """A channel with other labels, another expiry or number of releases that it keeps."""
        with self._shelf.lock:
            channel = self._shelf.find(_channel_name(request))
            changed = name_changed_fields(request, _CHANNEL_FIELDS)
            self._shelf.put(self._with_fields(channel, request, changed))
            self._expire(request.ids["site"])
            return self._with_release(self._shelf.find(channel["name"]))

    def _with_fields(self, channel: Resource, request: RestRequest, changed: Iterable[str]) -> Resource:
        """The channel with fields of a body; a time to live counts from now on."""
        stated = {"retainedReleaseCount": RETAINED_RELEASES, **request.body}
        whole = {**channel, **{key: stated.get(key) for key in changed}}
        if not 1 <= whole["retainedReleaseCount"] <= MAX_RETAINED_RELEASES:
            raise invalid_argument(f"retainedReleaseCount must be between 1 and {MAX_RETAINED_RELEASES}")
        if ttl := whole.pop("ttl", None):
            if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?s", ttl):
                raise invalid_argument(f"ttl '{ttl}' is not a duration in seconds")
            whole["expireTime"] = written_time(self._clock.now() + timedelta(seconds=float(ttl[:-1])))
        return {key: it for key, it in whole.items() if it is not None}

    def _releases(self, request: RestRequest) -> Resource:
        """The newest first; of a site those of all its channels."""
        site = self._known(request)
        if "channel" in request.ids:
            found = self._history(self._shelf.find(_channel_name(request))["name"])
        else:
            channels = self._shelf.below(f"sites/{site}/channels")
            found = [one for channel in channels for one in self._history(channel["name"])]
            found.sort(key=lambda one: str(one["releaseTime"]), reverse=True)
        return build_list_response(request, "releases", found, MAX_PAGE_SIZE)

    def _create_release(self, request: RestRequest) -> Resource:
        """A release of a finalised version; a site is never switched off."""
        site = self._known(request)
        name = request.query.get("versionName", "")
        with self._shelf.lock:
            channel = self._shelf.find(_channel_name(request))["name"]
            if not name.startswith(f"sites/{site}/versions/"):
                raise invalid_argument(f"versionName '{name}' is not a version of {site}")
            version = self._shelf.find(name)
            if version["status"] != _FINALIZED:
                raise _failed_precondition(f"{name} is {version['status']}, not {_FINALIZED}")
            history = self._history(channel)
            if history and history[0]["version"]["name"] == name:
                raise _failed_precondition(f"{name} is what the channel serves already")
            known = any(one["version"]["name"] == name for one in history)
            kind = "ROLLBACK" if known else "DEPLOY"
            at = self._after(history)
            release = _release(channel, version, kind, at, request.body.get("message", ""))
            self._shelf.put(release)
            self._expire(site)
            if channel == f"sites/{site}/channels/{LIVE}":
                self.served(site, version)
            return release

    def _after(self, history: list[Resource]) -> datetime:
        """Now, or just after the newest release: no two of a channel have the same time."""
        now = self._clock.now()
        if not history:
            return now
        newest = datetime.fromisoformat(str(history[0]["releaseTime"]))
        return max(now, newest + timedelta(microseconds=1))

    def _expire(self, site: str) -> None:
        """Let go of versions that stand only in releases beyond what their channels retain."""
        kept = set()
        for channel in self._shelf.below(f"sites/{site}/channels"):
            retained = self._history(channel["name"])[: channel["retainedReleaseCount"]]
            kept |= {one["version"]["name"] for one in retained}
        for channel in self._shelf.below(f"sites/{site}/channels"):
            for release in self._history(channel["name"]):
                version = self._shelf.find(release["version"]["name"])
                if version["name"] not in kept and version["status"] == _FINALIZED:
                    self._shelf.put({**version, "status": "EXPIRED"})

    def _shown(self, site: str) -> set[str]:
        """The versions that channels serve now."""
        channels = self._shelf.below(f"sites/{site}/channels")
        histories = (self._history(channel["name"])[:1] for channel in channels)
        return {release["version"]["name"] for newest in histories for release in newest}

    def _history(self, channel: str) -> list[Resource]:
        """The releases of a channel, the newest first, each with its version as it is now."""
        found = self._shelf.below(f"{channel}/releases")
        found.sort(key=lambda one: str(one["releaseTime"]), reverse=True)
        return [{**one, "version": self._shelf.find(one["version"]["name"])} for one in found]

    def _with_release(self, channel: Resource) -> Resource:
        history = self._history(channel["name"])
        return {**channel, "release": history[0]} if history else channel

    def _known(self, request: RestRequest) -> str:
        """The site of a request. Raises: Refused NOT_FOUND."""
        site = request.ids["site"]
        self._shelf.find(f"sites/{site}/channels/{LIVE}")
        return site


def _version(name: str, at: datetime) -> Resource:
    return {"name": name, "status": "CREATED", "config": {}, "createTime": written_time(at)}


def _channel(name: str, url: str, at: datetime) -> Resource:
    return {
        "name": name,
        "url": url,
        "createTime": written_time(at),
        "retainedReleaseCount": RETAINED_RELEASES,
    }


def _release(channel: str, version: Resource, kind: str, at: datetime, message: str = "") -> Resource:
    return {
        "name": f"{channel}/releases/{int(at.timestamp() * 1_000_000)}",
        "version": version,
        "type": kind,
        "releaseTime": written_time(at),
        **({"message": message} if message else {}),
    }


def _id(site: str, number: int) -> str:
    """The id of a site's nth version: 16 hexadecimal digits."""
    return names.digest(f"{site}/{number}")[:16]


def _version_name(request: RestRequest) -> str:
    return f"sites/{request.ids['site']}/versions/{request.ids['version']}"


def _channel_name(request: RestRequest) -> str:
    return f"sites/{request.ids['site']}/channels/{request.ids.get('channel', LIVE)}"


def _failed_precondition(message: str) -> StatusError:
    return StatusError(grpc.StatusCode.FAILED_PRECONDITION, message)
