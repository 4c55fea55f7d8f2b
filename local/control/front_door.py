"""The front door of the embedded cloud: the applications' web addresses, and the control plane."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from local.application import Application, WebAnswer
from local.application.callables import WebRequest
from local.control.requests import BadRequest
from local.control.service import PREFIX, ControlPlane
from local.core.clock import CloudClock
from local.core.grpc_services import Dropped
from local.core.http_handler import AnyMethod, report_fault
from local.core.loopback import Loop
from local.core.rest import RestServer
from local.services.identity import HOSTS, EmbeddedIdentity
from local.services.pubsub.resources.subscriptions import EVENTS_MODE
from shared.adapters.embedded_cloud import LATENCY_HEADER
from shared.core.codec import from_json

_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


class FrontDoor:
    """The HTTP server of the cloud on loopback: it reads the Host header and answers for that host.

    Answers of the application take their latency in cloud time; while the clock stands still they
    come at once.
    """

    def __init__(
        self,
        control: ControlPlane,
        applications: Mapping[str, Application],
        identity: EmbeddedIdentity,
        rest: RestServer,
        clock: CloudClock,
        server: ThreadingHTTPServer,
    ) -> None:
        self.identity = identity
        self._control = control
        self._applications = applications
        self._rest = rest
        self._clock = clock
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"door": self})
        server.RequestHandlerClass = handler
        self._loop = Loop(server, "front door")

    def respond(
        self, method: str, host: str, target: str, body: bytes, api_key: str = "", authorization: str = ""
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, JSON body and headers for one request; key and token as its headers say them.

        Raises: Dropped.
        """
        if host in HOSTS:
            url = urlsplit(target)
            path, _ = self._rest.projects.resolve_path(url.path)
            query = {"key": api_key, **dict(parse_qsl(url.query))}
            reply = self.identity.respond(method, host, path, query, body)
            if reply.status == HTTPStatus.NOT_FOUND:  # the products of these hosts have more
                status, more, answered = self._rest.respond(method, target, {"host": host}, body)
                return status, answered, dict(more)
            kept = "no-store" if reply.max_age is None else f"public, max-age={reply.max_age}"
            return reply.status, msgspec.json.encode(reply.content), {"Cache-Control": kept}
        url = urlsplit(target)
        for application in self._applications.values():
            if application.claims(host):
                whose = self.identity.find_token_email(authorization.removeprefix("Bearer "))
                request = WebRequest(method, url.path, body, whose)
                event = _read_event_attributes(url.query, body)
                answer = application.answer(host, url.path, event, request)
                self._take_time(answer)
                took = {LATENCY_HEADER: str(answer.latency.total_seconds())}
                content = {"revision": answer.revision} if answer.content is None else answer.content
                return answer.status, msgspec.json.encode(content), took
        return *self._respond(method, host, url, body), {}

    def _respond(self, method: str, host: str, url: SplitResult, body: bytes) -> tuple[int, bytes]:
        if host not in _LOOPBACK or not url.path.startswith(PREFIX):
            return 404, b'{"error": "nothing is served there"}'
        try:
            found = self._control.answer(method, url.path, dict(parse_qsl(url.query)), body)
        except BadRequest as refused:
            return 400, msgspec.json.encode({"error": str(refused), "faults": refused.faults})
        if found is None:
            return 404, b'{"error": "no such control"}'
        return 200, msgspec.json.encode(found)

    def close(self) -> None:
        """Answer nothing more."""
        self._closing.set()
        self._loop.close()

    def _take_time(self, answer: WebAnswer) -> None:
        if self._clock.scale:
            self._closing.wait(answer.latency.total_seconds() / self._clock.scale)


def _read_event_attributes(query: str, body: bytes) -> dict[str, str] | None:
    """The attributes of the event that a push brings; None of any other request."""
    if EVENTS_MODE in query:
        with suppress(msgspec.DecodeError):
            return from_json(body, _Pushed).message.attributes
    return None


class _Message(Struct):
    attributes: dict[str, str] = {}


class _Pushed(Struct):
    """A push of Pub/Sub."""

    message: _Message


class _Handler(AnyMethod):
    """Lets the door answer a request, writes the answer."""

    door: FrontDoor

    def respond(self, body: bytes) -> None:
        """As the base says."""
        host = self.headers.get("Host", "").rpartition("@")[2].split(":")[0].lower()
        key = self.headers.get("X-Goog-Api-Key", "")
        token = self.headers.get("Authorization", "")
        try:
            status, answer, headers = self.door.respond(self.command, host, self.path, body, key, token)
        except Dropped:
            self.close_connection = True
            return
        except Exception:
            fault = {"code": 500, "message": report_fault(), "status": "INTERNAL"}
            status, answer, headers = 500, msgspec.json.encode({"error": fault}), {}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)
