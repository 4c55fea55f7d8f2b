"""A look from outside: one request as a user's browser would send it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx

from shared.errors import Rejected
from shared.health import ProbeAnswer
from shared.http import exchange
from shared.policy import Probe

Resolve = Callable[[str], str | None]
"""Host name to the `host:port` of an embedded cloud that plays it; None: ask the name service."""

_AGENT = {"User-Agent": "rollback-prober"}
_PORTS = {"http": 80, "https": 443}


def resolve_publicly(host: str) -> str | None:
    """None: every host is looked up by name."""
    return None


class HttpProber:
    """A Prober over HTTP.

    No answer (refused, cut off, too late, no such name) is a failure of what was asked. A failure
    of our own side, such as a name service that is down here, looks the same and counts the same:
    a judge who cannot afford that compares probes of several hosts. A look-up of a name has the
    name service's own time limit (resolv.conf(5): 5 s a server), not the probe's.
    """

    def __init__(self, resolve: Resolve = resolve_publicly) -> None:
        self._resolve = resolve

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One GET, never a redirect, within the probe's time-out.

        Raises: Rejected for an address that must not be asked: not http(s), or one that leads
        inside (private, loopback, link-local and with it the metadata server).
        """
        url = urlsplit(probe.url)
        if url.scheme not in _PORTS or not url.hostname:
            raise Rejected(f"probe {probe.name}: {probe.url} is not an address of the web")
        try:
            status = self._status(url, url.hostname, probe.timeout.total_seconds())
        except TimeoutError:
            return ProbeAnswer(passed=False, status=None, detail="no answer in time")
        except (httpx.TransportError, socket.gaierror) as error:
            detail = f"{type(error).__name__}: {error}"
            return ProbeAnswer(passed=False, status=None, detail=detail)
        return ProbeAnswer(passed=status < probe.status_below, status=status)

    def _status(self, url: SplitResult, host: str, seconds: float) -> int:
        headers = {**_AGENT, "Host": url.netloc.rpartition("@")[2]}
        played = self._resolve(host)
        if played is not None:
            there = _at(url._replace(scheme="http"), played)
            return exchange("GET", there, seconds=seconds, headers=headers)
        there = _at(url, _public_address(host, url.port or _PORTS[url.scheme]))
        return exchange("GET", there, seconds=seconds, headers=headers, server_name=host)


def _at(url: SplitResult, address: str) -> str:
    """The same page at another address, without a fragment."""
    return urlunsplit(url._replace(netloc=address, path=url.path or "/", fragment=""))


def _public_address(host: str, port: int) -> str:
    """An address of a host, as `address:port`: the one that is checked is the one that is asked.

    Raises: Rejected when any of its addresses leads inside, socket.gaierror when it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not _is_public(address):
            raise Rejected(f"{host} is at {address}, which is not on the internet")
    first = addresses[0]
    return f"[{first}]:{port}" if first.version == 6 else f"{first}:{port}"


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not address.is_multicast
