"""Which part of an application a web address means, and what it answers."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from local.application import names
from local.application.parts import Part
from shared.domain.policy.system_policy import Policy

SIGN_IN_PATHS = ("/__/auth/", "/auth/")
"""Firebase's own handler of sign-ins, and where applications put theirs."""


class WebAnswer(Struct, frozen=True):
    """One HTTP answer, due after `latency` of cloud time."""

    status: int
    revision: str = ""
    """Who answered; empty when no revision did."""
    latency: timedelta = timedelta()
    content: Any = None
    """JSON of a declared handler; None: the answer names the revision alone."""


class Route(Struct, frozen=True):
    """Where a request goes: a function, one of its tags, or a part when there is no function."""

    function: str | None
    tag: str = ""
    part: Part = Part.SITE


class HostRouter:
    """The hosts of an application: functions, services, those of probes, channels and assets."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._functions_host = names.function_host(policy.project, policy.region)
        self._by_run_host = {
            names.run_host(names.service_name(function), policy.project, policy.region): function
            for function in policy.functions
        }
        self._probes: dict[tuple[str, str], str | None] = {}
        for probe in (one for one in policy.probes if one.url):
            path = urlsplit(probe.url).path or "/"
            self._probes[_host_of(probe.url), path] = probe.function
        self._function_hosts = {self._functions_host, *self._by_run_host}
        channels = {_host_of(channel.url) for channel in policy.channels if channel.url}
        hosting = {f"{policy.project}.web.app", f"{policy.project}.firebaseapp.com"}
        origins = {_host_of(url) for one in policy.assets.static for url in (one.first, one.fallback)}
        declared = {host for host, _ in self._probes} | channels | hosting | origins
        self._sites = declared - self._function_hosts

    @property
    def hosts(self) -> Collection[str]:
        """Where the functions answer."""
        return self._function_hosts

    def claims(self, host: str) -> bool:
        """Whether an address on that host is this application's."""
        untagged = host.rpartition("---")[2]
        return untagged in self._function_hosts or host in self._sites

    def route(self, host: str, path: str) -> Route | None:
        """Where a request goes; None when nothing of this application is there."""
        tag, _, untagged = host.rpartition("---")
        if untagged in self._by_run_host:
            return Route(self._by_run_host[untagged], tag)
        if host == self._functions_host:
            function = path.strip("/").split("/")[0]
            return Route(function) if function in self._policy.functions else None
        if host in self._sites:
            part = Part.SIGN_INS if path.startswith(SIGN_IN_PATHS) else Part.SITE
            return Route(self._probes.get((host, path)), part=part)
        return None


def _host_of(url: str) -> str:
    """Whom a request to it asks for, whatever the port, in lower case as names are compared."""
    return urlsplit(url).hostname or ""
