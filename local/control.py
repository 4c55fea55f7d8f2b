"""The front door of the embedded cloud: the application's web addresses, and its control plane."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from local.application import Answer, Application
from local.application.service import Service
from local.clock import CloudClock

PREFIX = "/_cloud/"
LONGEST_BODY_BYTES = 1024 * 1024
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


class BadRequest(Exception):
    """A control request that cannot be carried out, with what is wrong about it."""


class ClockChange(Struct, forbid_unknown_fields=True):
    """Move the clock by seconds, or let it run at another pace, or both."""

    advance: float | None = None
    scale: float | None = None


class Deployment(Struct, forbid_unknown_fields=True):
    """Deploy a release to functions, to groups of them, or to all of a system (default: first)."""

    release: str
    system: str | None = None
    functions: list[str] | None = None
    groups: list[str] | None = None
    failure_rate: float = 0.0
    latency_seconds: float = 0.05
    starts: bool = True


class ControlPlane:
    """What a process on the same machine may ask of the cloud itself.

    ======  ==================  ===========================================================
    GET     /_cloud/clock        `{"now", "origin", "scale"}`: cloud time, that of the start,
                                 and cloud seconds per wall second
    POST    /_cloud/clock        `{"advance": seconds}`, `{"scale": x}` or both; the new clock,
                                 once alerts and ticks have followed
    POST    /_cloud/deploy       a `Deployment`; `{function: {"service", "revision"}}`
    GET     /_cloud/application  `?system=`; per system and function: service, revision,
                                 release, failure_rate, traffic (percent per revision)
    GET     /_cloud/addresses    `{"firestore": "127.0.0.1:port", …}`
    POST    /_cloud/tick         publish one clock tick now; `{}`
    ======  ==================  ===========================================================

    All bodies are JSON. 400 and `{"error"}` for a request that cannot be; 404 for another path.
    """

    def __init__(
        self,
        clock: CloudClock,
        applications: Mapping[str, Application],
        addresses: Mapping[str, str],
        tick: Callable[[], None],
        settle: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._origin = clock.now()
        self._applications = applications
        self._addresses = addresses
        self._tick = tick
        self._settle = settle

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> dict[str, Any] | None:
        """The answer to one request; None when nothing is there. Raises: BadRequest."""
        match method, path.removeprefix(PREFIX):
            case "GET", "clock":
                return self._clock_now()
            case "POST", "clock":
                return self._change_clock(_decoded(body, ClockChange))
            case "POST", "deploy":
                return self._deploy(_decoded(body, Deployment))
            case "GET", "application":
                return self._standing(query.get("system"))
            case "GET", "addresses":
                return dict(self._addresses)
            case "POST", "tick":
                self._tick()
                return {}
            case _:
                return None

    def _clock_now(self) -> dict[str, Any]:
        return {
            "now": self._clock.now().isoformat(),
            "origin": self._origin.isoformat(),
            "scale": self._clock.scale,
        }

    def _change_clock(self, change: ClockChange) -> dict[str, Any]:
        try:
            if change.scale is not None:
                self._clock.rescale(change.scale)
            if change.advance is not None:
                self._clock.advance(timedelta(seconds=change.advance))
        except (ValueError, OverflowError) as error:
            raise BadRequest(str(error)) from error
        self._settle()
        return self._clock_now()

    def _deploy(self, deployment: Deployment) -> dict[str, Any]:
        application = self._application(deployment.system)
        if not 0 <= deployment.failure_rate <= 1:
            raise BadRequest("failure_rate is not between 0 and 1")
        try:
            functions = _chosen(application, deployment)
            services = application.deploy(
                functions,
                release=deployment.release,
                failure_rate=deployment.failure_rate,
                latency=timedelta(seconds=deployment.latency_seconds),
                starts=deployment.starts,
            )
        except KeyError as error:
            raise BadRequest(f"unknown function or group: {error.args[0]}") from error
        return {
            service.function: {"service": service.name, "revision": service.latest_created.name}
            for service in services
        }

    def _standing(self, system: str | None) -> dict[str, Any]:
        chosen = self._applications if system is None else {system: self._application(system)}
        return {
            name: {service.function: _shown(service) for service in application.services()}
            for name, application in chosen.items()
        }

    def _application(self, system: str | None) -> Application:
        name = system if system is not None else next(iter(self._applications))
        if name not in self._applications:
            raise BadRequest(f"unknown system: {name}")
        return self._applications[name]


class FrontDoor:
    """The HTTP server of the cloud on loopback: it reads the Host header and answers for that host.

    Answers of the application take their latency in cloud time; while the clock stands still they
    come at once.
    """

    def __init__(
        self,
        control: ControlPlane,
        applications: Mapping[str, Application],
        clock: CloudClock,
        server: ThreadingHTTPServer,
    ) -> None:
        self._control = control
        self._applications = applications
        self._clock = clock
        self._server = server
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"door": self})
        server.RequestHandlerClass = handler
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.1,), name="front door", daemon=True
        )
        self._thread.start()

    def respond(self, method: str, host: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Status and JSON body for one request."""
        url = urlsplit(target)
        for application in self._applications.values():
            if application.claims(host):
                answer = application.answer(host, url.path)
                self._take_time(answer)
                return answer.status, msgspec.json.encode({"revision": answer.revision})
        if host not in _LOOPBACK or not url.path.startswith(PREFIX):
            return 404, b'{"error": "nothing is served there"}'
        try:
            found = self._control.answer(method, url.path, dict(parse_qsl(url.query)), body)
        except BadRequest as refused:
            return 400, msgspec.json.encode({"error": str(refused)})
        if found is None:
            return 404, b'{"error": "no such control"}'
        return 200, msgspec.json.encode(found)

    def close(self) -> None:
        """Answer nothing more."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take_time(self, answer: Answer) -> None:
        if self._clock.scale:
            self._closing.wait(answer.latency.total_seconds() / self._clock.scale)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, lets the door answer it, writes the answer."""

    door: FrontDoor
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        """The base asks for `do_GET`, `do_POST`, …: every method is answered in the same way."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._respond

    def _respond(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST_BODY_BYTES:
            self.send_error(413)
            return
        host = self.headers.get("Host", "").rpartition("@")[2].split(":")[0].lower()
        body = self.rfile.read(length)
        status, answer = self.door.respond(self.command, host, self.path, body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet: standard error belongs to faults."""


def listen(port: int) -> tuple[ThreadingHTTPServer, str]:
    """A loopback server that answers nothing yet, and its address; port 0 takes a free one."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    return server, f"127.0.0.1:{server.server_port}"


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.DecodeError as error:  # ValidationError is one
        raise BadRequest(str(error)) from error


def _chosen(application: Application, deployment: Deployment) -> list[str] | None:
    """The functions to deploy; None means all. Raises: KeyError for an unknown group."""
    if deployment.groups is None:
        return deployment.functions
    groups = application.policy.groups
    grouped = [function for name in deployment.groups for function in groups[name].functions]
    return [*(deployment.functions or ()), *grouped]


def _shown(service: Service) -> dict[str, Any]:
    flows = service.periods[-1].flows
    return {
        "service": service.name,
        "revision": service.latest_created.name,
        "release": service.latest_created.release,
        "failure_rate": sum(flow.share * flow.failure_rate for flow in flows),
        "traffic": {flow.revision: round(flow.share * 100) for flow in flows},
        "serving": sorted({_release(service, flow.revision) for flow in flows}),
    }


def _release(service: Service, revision: str) -> str:
    found = service.revision(revision)
    return found.release if found else ""
