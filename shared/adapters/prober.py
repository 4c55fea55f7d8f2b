"""A look from outside: one request as a user's browser would send it.

A sign-in is Identity Toolkit's REST (cloud.google.com/identity-platform/docs/reference/rest/v1
/accounts/signInWithPassword), its key in the header that any API of Google's takes in the place of
`?key=` (cloud.google.com/apis/docs/system-parameters): addresses are logged. Both read 2026-11.
"""

import errno
import hashlib
import ipaddress
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx
import msgspec
from msgspec.structs import replace

from shared.adapters.http import send_request
from shared.core.codec import FrozenStruct, from_json
from shared.core.errors import Rejected, Unavailable
from shared.domain.policy.probes import Probe, ProbeAccount, ProbeMethod
from shared.domain.signals.health import ProbeAnswer
from shared.ports.identity import SecretValues

HostResolver = Callable[[str], str | None]
"""Host name to the `host:port` of an embedded cloud that plays it; None: ask the name service."""
AddressLookup = Callable[[str, int], list[tuple[Any, ...]]]
"""Host name and port to what `socket.getaddrinfo` answers."""

MAX_BODY_BYTES = 1 << 20
"""So much of a page is read, as it comes: nothing is unpacked, nothing is kept."""

TOKEN_REUSE_SECONDS = 300.0
"""So long an ID token (valid for an hour) serves further requests: Google limits sign-ins."""
SIGN_IN_URL = "https://identitytoolkit.googleapis.com/v1/accounts:signInWithPassword"

_AGENT = {"User-Agent": "rollback-prober", "Accept-Encoding": "identity"}
"""Unpacked, so that the same page has the same bytes wherever it comes from."""
_RATE_LIMIT_ERROR = "TOO_MANY_ATTEMPTS_TRY_LATER"
"""Said of the one account: nothing is known of others."""
_WORD = re.compile(r"[A-Z_]+")
_HTTPS_PORT = 443
_NAME_SERVICE_DOWN = {socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_MEMORY, socket.EAI_SYSTEM}
_LOCAL_NETWORK_ERRORS = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EADDRNOTAVAIL,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
}
"""No way out, no sockets: nothing that whoever is asked could have caused."""
_UNICAST = ipaddress.ip_network("2000::/3")
_TUNNEL_NETWORKS = tuple(map(ipaddress.ip_network, ("2001::/23", "2002::/16", "3fff::/20")))
"""Teredo and 6to4 carry an IPv4 address; the last is for documentation, which Python 3.11 passes.

Everything global beside 2000::/3 translates too: `::ffff:0:0/96`, `::/96`, `64:ff9b::/96`
(iana.org/assignments/iana-ipv6-special-registry, read 2026-11-24).
"""


class ProbeDestination(FrozenStruct):
    """Where a request really goes."""

    url: str
    """With an address in the place of the host."""
    host: str
    """What the Host header says."""
    server_name: str | None
    """Whom the certificate must name; None: an embedded cloud has none."""


class _Refusal(FrozenStruct):
    message: str = ""


class _SignedIn(FrozenStruct):
    id_token: str = msgspec.field(name="idToken", default="")
    error: _Refusal = _Refusal()


def resolve_publicly(host: str) -> str | None:
    """None: every host is looked up by name."""
    return None


def _look_up(host: str, port: int) -> list[tuple[Any, ...]]:
    return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass
class HttpProber:
    """A Prober over HTTPS, or over HTTP to an embedded cloud.

    No answer (refused, cut off, too late, no such name, a bad certificate) is a failure of what was
    asked. No answer because we have no name service, no network or no sockets says nothing about
    it. A name whose own servers fail cannot be told from a name service that is down here: it is
    not known. A look-up has the name service's time limit (resolv.conf(5): 5 s a server), not the
    probe's. What an answer has taken is wall time, unless an embedded cloud says it in the header
    `latency`; time-outs are wall time. What `secrets` hold, and the token of a sign-in, are in no
    answer and no error.
    """

    resolve: HostResolver = resolve_publicly
    look_up: AddressLookup = _look_up
    latency: str = ""
    secrets: Callable[[], SecretValues] | None = None

    def __post_init__(self) -> None:
        self._tokens: dict[ProbeAccount | None, tuple[str, float]] = {}

    def ask(self, probe: Probe) -> ProbeAnswer:
        """One request, after a sign-in where one is declared; never a redirect; its answer bounded.

        All of it ends within the probe's time-out. Raises: Rejected for an address that must not be
        asked: not https, or one that leads inside (private, loopback, link-local and with it the
        metadata server); and for a test account whose secrets cannot be read, or that no password
        alone signs in; Unavailable.
        """
        account = probe.sign_in
        token = self._stored_token(probe)
        sign_in = self._build_sign_in(probe, account) if account is not None and not token else None
        began = time.monotonic()
        passed, status, detail, digest, took = False, None, "", "", None
        try:
            if sign_in is not None:
                status, body, headers = self._send_request(sign_in, began)
                took = headers.get(self.latency)
                token, detail = _read_token(probe, status, body)
                passed = bool(token)
            if probe.url and (token or account is None):
                status, body, headers = self._send_request(probe, began, token)
                took = headers.get(self.latency)
                detail = _find_mismatch(probe, status, body)
                passed = not detail
                digest = "" if account else hashlib.sha256(body).hexdigest()
            if not passed:
                self._tokens.pop(account, None)
            elif sign_in is not None:
                self._tokens[account] = (token, began + TOKEN_REUSE_SECONDS)
        except TimeoutError:
            passed, detail = False, "no answer in time"
        except (httpx.TransportError, OSError) as error:
            passed, detail = False, type(error).__name__
            if not account:  # else its words may repeat what was sent
                detail = f"{detail}: {error}"
            if _is_local_failure(error):
                raise Unavailable(f"probe {probe.name}: {detail}") from None
        seconds = float(took) if took else time.monotonic() - began
        return ProbeAnswer(passed, status, detail, seconds, digest)

    def destination(self, probe: Probe) -> ProbeDestination:
        """Return the checked address, called in place of the name. Raises: `ask`'s; gaierror."""
        try:
            url = urlsplit(probe.url)
            host, port = url.hostname, url.port or _HTTPS_PORT
            if url.scheme not in ("http", "https") or not host:
                raise ValueError("no address of the web")
            named = url.netloc.rpartition("@")[2]
            played = self.resolve(host)
            if played is not None:
                return ProbeDestination(_replace_host(url._replace(scheme="http"), played), named, None)
            if url.scheme != "https":
                raise ValueError("asked in the clear")
            address = _public_address(self.look_up(host, port))
            return ProbeDestination(_replace_host(url, address), named, host)
        except ValueError as unfit:
            raise Rejected(f"probe {probe.name}: {probe.url}: {unfit}") from unfit

    def _stored_token(self, probe: Probe) -> str:
        """Return the ID token of an earlier request; empty where this one must sign in."""
        token, until = self._tokens.get(probe.sign_in, ("", 0.0)) if probe.url else ("", 0.0)
        return token if time.monotonic() < until else ""

    def _build_sign_in(self, probe: Probe, account: ProbeAccount) -> Probe:
        """Return the sign-in as a request of its own."""
        if self.secrets is None:
            raise Rejected(f"probe {probe.name}: no secret can be read here")
        secrets = self.secrets()
        password = secrets.read(account.password_secret).strip()
        key = secrets.read(account.api_key_secret).strip()
        if not (key.isascii() and key.isprintable()):
            raise Rejected(f"probe {probe.name}: the secret {account.api_key_secret} holds no key")
        body = {"email": account.email, "password": password, "returnSecureToken": True}
        headers = {"X-Goog-Api-Key": key}
        return replace(probe, url=SIGN_IN_URL, method=ProbeMethod.POST, body=body, headers=headers)

    def _send_request(
        self, probe: Probe, began: float, token: str = ""
    ) -> tuple[int, bytes, Mapping[str, str]]:
        there = self.destination(probe)
        body = probe.body
        content = (
            b"" if body is None else body.encode() if isinstance(body, str) else msgspec.json.encode(body)
        )
        headers = httpx.Headers({"Content-Type": "application/json"} if content else {}, encoding="utf-8")
        headers.update({**probe.headers, **_AGENT, "Host": there.host})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            return send_request(
                probe.method,
                there.url,
                seconds=max(0.0, began + probe.timeout.total_seconds() - time.monotonic()),
                headers=headers,
                content=content,
                server_name=there.server_name,
                reads=MAX_BODY_BYTES,
            )
        except httpx.InvalidURL as unfit:
            raise Rejected(f"probe {probe.name}: {probe.url}: {unfit}") from unfit


def _read_token(probe: Probe, status: int, body: bytes) -> tuple[str, str]:
    """Return the ID token, or Google's word for the refusal. Raises: Rejected, Unavailable."""
    try:
        said = from_json(body, _SignedIn)
    except msgspec.DecodeError:
        said = _SignedIn()
    if status >= HTTPStatus.BAD_REQUEST:
        word = said.error.message.partition(" ")[0]
        if word == _RATE_LIMIT_ERROR:
            raise Unavailable(f"probe {probe.name}: {word}")
        return "", word if _WORD.fullmatch(word) else ""
    if not said.id_token:
        raise Rejected(f"probe {probe.name}: answered without a token: is there a second factor?")
    return said.id_token, ""


def _find_mismatch(probe: Probe, status: int, body: bytes) -> str:
    """Return what of the answer is not as expected, without quoting it; empty: it is healthy."""
    expect = probe.expect
    if expect.status is None and status >= probe.status_below:
        return f"expected a status below {probe.status_below}"
    if expect.status not in (None, status):
        return f"expected status {expect.status}"
    if expect.text.encode() not in body:
        return "the expected text is missing"
    try:
        value = from_json(body) if expect.json else None
    except (ValueError, msgspec.DecodeError, RecursionError):
        return "the answer is not JSON"
    wrong = [path for path, wanted in expect.json.items() if not _is_expected(value, path, wanted)]
    return f"not as expected: {', '.join(wrong)}" if wrong else ""


def _is_expected(value: Any, path: str, wanted: Any) -> bool:
    """Return whether a JSON answer has that value at that path; None: any value but null."""
    for key in path.split("."):
        if isinstance(value, list):
            value = dict(enumerate(value)).get(int(key) if key.isdecimal() else -1)
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value is not None if wanted is None else bool(value == wanted)


def _replace_host(url: SplitResult, address: str) -> str:
    """The same page at another address, without a fragment."""
    return urlunsplit(url._replace(netloc=address, path=url.path or "/", fragment=""))


def _public_address(found: list[tuple[Any, ...]]) -> str:
    """Return a host's public `address:port`, IPv4 first. Raises: ValueError, if one is inside."""
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
        address in _UNICAST and not any(address in network for network in _TUNNEL_NETWORKS)
    )


def _is_local_failure(error: BaseException) -> bool:
    """Whether it failed on our side, so that nothing is known of the other."""
    return any(
        cause.errno in (_NAME_SERVICE_DOWN if isinstance(cause, socket.gaierror) else _LOCAL_NETWORK_ERRORS)
        for cause in _causes(error)
        if isinstance(cause, OSError)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
