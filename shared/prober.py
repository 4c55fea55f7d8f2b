"""A look from outside: one request as a user's browser would send it."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx
from msgspec import Struct

from shared.errors import Rejected, Unavailable
from shared.health import ProbeAnswer
from shared.http import exchange
from shared.policy import Probe

Resolve = Callable[[str], str | None]
"""Host name to the `host:port` of an embedded cloud that plays it; None: ask the name service."""
LookUp = Callable[[str, int], list[tuple[Any, ...]]]
"""Host name and port to what `socket.getaddrinfo` answers."""

BODY_BYTES = 1 << 20
"""So much of a page is read, as it comes: nothing is unpacked, nothing is kept."""

_AGENT = {"User-Agent": "rollback-prober"}
_HTTPS_PORT = 443
_NAME_SERVICE_DOWN = {socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY, socket.EAI_SYSTEM}
_WE_ARE_DOWN = {
    *(errno.ENETDOWN, errno.ENETUNREACH, errno.EADDRNOTAVAIL),
    *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
}
"""No way out, no sockets: nothing that whoever is asked could have caused."""
_UNICAST = ipaddress.ip_network("2000::/3")
_IN_DISGUISE = tuple(map(ipaddress.ip_network, ("2001::/23", "2002::/16", "3fff::/20")))
"""Teredo and 6to4 carry an IPv4 address; the last is for documentation, which Python 3.11 passes.

Everything global beside 2000::/3 translates too: `::ffff:0:0/96`, `::/96`, `64:ff9b::/96`
(iana.org/assignments/iana-ipv6-special-registry, read 2026-11-24).
"""


class Destination(Struct, frozen=True):
    """Where a request really goes."""

    url: str
    """With an address in the place of the host."""
    host: str
    """What the Host header says."""
    server_name: str | None
    """Whom the certificate must name; None: an embedded cloud has none."""


def resolve_publicly(host: str) -> str | None:
    """None: every host is looked up by name."""
    return None


def _look_up(host: str, port: int) -> list[tuple[Any, ...]]:
    return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _as_fast() -> float:
    return 1.0


class HttpProber:
    """A Prober over HTTPS, or over HTTP to an embedded cloud.

    No answer (refused, cut off, too late, no such name, a bad certificate) is a failure of what was
    asked. No answer because we have no name service, no network or no sockets says nothing about
    it. A name whose own servers fail cannot be told from a name service that is down here: it is
    not known. A look-up has the name service's time limit (resolv.conf(5): 5 s a server), not the
    probe's. `pace` is seconds of the clock per wall second, for what an answer has taken; time-outs
    are wall time.
    """

    def __init__(
        self,
        resolve: Resolve = resolve_publicly,
        look_up: LookUp = _look_up,
        pace: Callable[[], float] = _as_fast,
    ) -> None:
        self._resolve = resolve
        self._look_up = look_up
        self._pace = pace

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One GET, never a redirect, whole within the probe's time-out; the page is read, bounded.

        Raises: Rejected for an address that must not be asked: not https, or one that leads inside
        (private, loopback, link-local and with it the metadata server); Unavailable.
        """
        began = time.monotonic()
        status, detail = None, ""
        try:
            status = self._status(probe)
        except TimeoutError:
            detail = "no answer in time"
        except (httpx.TransportError, OSError) as error:
            if _is_ours(error):
                raise Unavailable(f"probe {probe.name}: {error}") from error
            detail = f"{type(error).__name__}: {error}"
        seconds = (time.monotonic() - began) * self._pace()
        passed = status is not None and status < probe.status_below
        return ProbeAnswer(passed, status, detail, seconds)

    def destination(self, probe: Probe) -> Destination:
        """Where to ask: the address that was checked is the one that is asked, no name any more.

        Raises: as `ask`; socket.gaierror.
        """
        try:
            url = urlsplit(probe.url)
            host, port = url.hostname, url.port or _HTTPS_PORT
            if url.scheme not in ("http", "https") or not host:
                raise ValueError("no address of the web")
            named = url.netloc.rpartition("@")[2]
            played = self._resolve(host)
            if played is not None:
                return Destination(_at(url._replace(scheme="http"), played), named, None)
            if url.scheme != "https":
                raise ValueError("asked in the clear")
            return Destination(_at(url, _public_address(self._look_up(host, port))), named, host)
        except ValueError as unfit:
            raise Rejected(f"probe {probe.name}: {probe.url}: {unfit}") from unfit

    def _status(self, probe: Probe) -> int:
        there = self.destination(probe)
        try:
            return exchange(
                "GET",
                there.url,
                seconds=probe.timeout.total_seconds(),
                headers={**_AGENT, "Host": there.host},
                server_name=there.server_name,
                reads=BODY_BYTES,
            )
        except httpx.InvalidURL as unfit:
            raise Rejected(f"probe {probe.name}: {probe.url}: {unfit}") from unfit


def _at(url: SplitResult, address: str) -> str:
    """The same page at another address, without a fragment."""
    return urlunsplit(url._replace(netloc=address, path=url.path or "/", fragment=""))


def _public_address(found: list[tuple[Any, ...]]) -> str:
    """One of a host's addresses, as `address:port`; IPv4 first, because not all of us have IPv6.

    Raises: ValueError when any of them leads inside.
    """
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not _is_public(address):
            raise ValueError(f"{address} is not on the internet")
    chosen, port = min(addresses, key=lambda address: address.version), found[0][4][1]
    return f"[{chosen}]:{port}" if chosen.version == 6 else f"{chosen}:{port}"


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return address.version == 4 or (
        address in _UNICAST and not any(address in network for network in _IN_DISGUISE)
    )


def _is_ours(error: BaseException) -> bool:
    """Whether it failed on our side, so that nothing is known of the other."""
    return any(
        cause.errno in (_NAME_SERVICE_DOWN if isinstance(cause, socket.gaierror) else _WE_ARE_DOWN)
        for cause in _causes(error)
        if isinstance(cause, OSError)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and everything that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
