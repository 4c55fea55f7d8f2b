"""REST services on loopback, as Google's front end serves them: JSON, its errors, its pages.

One address serves every product; the Host header says which, as it does at Google's.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import grpc
import msgspec
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from local.core.grpc_services import Dropped, StatusError
from local.core.http_handler import AnyMethod, report_fault
from local.core.http_server import listen
from local.core.journal import Journal
from local.core.loopback import Loop
from local.core.pages import page
from local.core.projects import PROJECT_SEGMENT, ProjectDirectory
from local.faults.hooks import FaultHooks
from shared.core.codec import from_builtins, from_json

HTTP_STATUS = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""google/rpc/code.proto; every other status is 500."""

LEGACY_REASONS = {
    "INVALID_ARGUMENT": "badRequest",
    "FAILED_PRECONDITION": "failedPrecondition",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "notFound",
    "ALREADY_EXISTS": "alreadyExists",
    "ABORTED": "aborted",
    "INTERNAL": "backendError",
    "RESOURCE_EXHAUSTED": "rateLimitExceeded",
    "SERVICE_DISABLED": "accessNotConfigured",
}
"""What clients that are older than statuses read, as Google's REST answers hold it beside them."""

_DETAILS = (error_details_pb2.RetryInfo, error_details_pb2.ErrorInfo)
"""What a refusal may carry; named so that their descriptors are there to be written as JSON."""
MAX_BODY_BYTES = 11 * 1024 * 1024
"""Firestore's refusal names it; a commit has at most 10 MiB (https://cloud.google.com/firestore/quotas)."""
_PATH_VARIABLE_PATTERN = re.compile(r"\{(\w+)(=\*\*)?\}")
PAGE_PARAMETERS = ("pageSize", "pageToken")
"""Of a list: `build_list_response` reads them."""
_COMMON_PARAMETERS = frozenset(("$alt", "$prettyPrint", "alt", "fields", "key", "prettyPrint", "quotaUser"))
"""https://cloud.google.com/apis/docs/system-parameters (read 2026-11)."""

Resource = dict[str, Any]
"""A resource in its JSON form."""


class RestRequest(NamedTuple):
    """One request to a product."""

    ids: Mapping[str, str]
    """What stands in the path for each name of the call's template."""
    query: Mapping[str, str]
    """By name in camel case: `update_mask` is read as `updateMask`."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: Resource
    parameters: Sequence[tuple[str, str]] = ()
    """Those of `query`, with each that is repeated."""


class RestReply(NamedTuple):
    """An answer with headers of its own."""

    body: Resource
    headers: Mapping[str, str]


class RestMethod(NamedTuple):
    """One method of a product: its name in the discovery document, and where it is served.

    A field or a parameter that it does not declare is refused by its name.
    """

    name: str
    method: str
    path: str
    """`{name}` stands for one part, `{name=**}` for several."""
    answer: Callable[[RestRequest], Resource | RestReply]
    fields: Mapping[str, Any] = MappingProxyType({})
    """What it reads of a body, or ignores as Google does, by the type of its JSON."""
    parameters: Collection[str] = ()
    """What it reads of a query."""


class Route(NamedTuple):
    """Where a call is served: its name for faults, its verb, and its paths."""

    call: str
    method: str
    pattern: re.Pattern[str]
    answer: Callable[[RestRequest], Any]
    streams: bool = False
    """Whether it answers with an array, its refusals too."""
    is_transcoded: bool = False
    """Whether its body becomes a message, whose fields say which texts are names."""


def build_list_response(
    request: RestRequest, field: str, resources: Sequence[Resource], most: int
) -> Resource:
    """One page of a list as its answer; empty lists and tokens are left out, as in all JSON.

    Raises: Refused INVALID_ARGUMENT.
    """
    size = request.query.get("pageSize", "0")
    if not size.lstrip("-").isdigit():
        raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, f"pageSize '{size}' is not a number")
    token = request.query.get("pageToken", "")
    shown, following = page(resources, lambda one: str(one["name"]), int(size), token, most)
    answer: Resource = {field: list(shown)} if shown else {}
    return {**answer, "nextPageToken": following} if following else answer


def invalid_argument(reason: str) -> StatusError:
    """Return the refusal of a request that cannot be valid."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, reason)


def check_fields(body: Resource, fields: Mapping[str, Any]) -> None:
    """Refuse what nobody stores of a body, and a value of another type, as Google words it.

    Raises: StatusError INVALID_ARGUMENT.
    """
    _refuse_unknown(body, fields, "Cannot find field.")
    for key, it in body.items():
        try:
            it is None or from_builtins(it, fields[key])
        except msgspec.ValidationError as error:
            raise invalid_argument(f"Invalid value at '{key}': {error}") from error


def name_changed_fields(request: RestRequest, known: Collection[str], mask: str = "") -> list[str]:
    """Return the fields that the mask names (the query's, unless given), or else the body holds.

    Raises: StatusError INVALID_ARGUMENT for a path that is none of them.
    """
    mask = mask or request.query.get("updateMask", "")
    paths = [camel_case(path.strip()) for path in mask.split(",") if path.strip()]
    if unknown := {*paths} - {*known}:
        raise invalid_argument(f"Update mask contains an invalid path: {', '.join(sorted(unknown))}")
    return paths or [one for one in known if one in request.body]


def _refuse_unknown(names: Iterable[str], known: Iterable[str], why: str) -> None:
    if unknown := {*names} - {*known}:
        listed = ", ".join(f'"{one}"' for one in sorted(unknown))
        raise invalid_argument(f"Invalid JSON payload received. Unknown name {listed}: {why}")


def served_call_names(products: Mapping[str, Sequence[RestMethod]]) -> list[str]:
    """The full names of the calls: `firebasehosting.googleapis.com/sites.releases.create`."""
    return [f"{host}/{call.name}" for host, calls in products.items() for call in calls]


class RestServer:
    """The products behind one address, each under its host."""

    def __init__(
        self,
        products: Mapping[str, Sequence[RestMethod]],
        faults: FaultHooks,
        port: int = 0,
        transcoded: Mapping[str, Sequence[Route]] = MappingProxyType({}),
        projects: ProjectDirectory | None = None,
        require: Callable[[str, str], None] = lambda _project, _host: None,
    ) -> None:
        """`transcoded` has the routes of gRPC services, which come behind a product's own.

        `require` refuses a request to a host where that is off in the project.
        """
        self._routes = {
            host: [*_build_routes(host, products.get(host, ())), *transcoded.get(host, ())]
            for host in {*products, *transcoded}
        }
        self._faults = faults
        self.projects = projects or ProjectDirectory(Journal())
        self._require = require
        server, self.address = listen(port)
        server.RequestHandlerClass = type("Handler", (_Handler,), {"rest": self})
        self._loop = Loop(server, "rest")

    def respond(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body for one request. Raises: Dropped."""
        streams = False
        host = headers.get("host", "").partition(":")[0].lower()
        try:
            url = urlsplit(target)
            path, project = self.projects.resolve_path(url.path)
            self._require(project, host)
            route, ids = self._find_route(method, host, path)
            streams = route.streams
            parameters = [(name, self.projects.resolve_name(it)) for name, it in parse_qsl(url.query)]
            query = {camel_case(name): value for name, value in parameters}
            content = _decode_body(body)
            content = content if route.is_transcoded else self.projects.resolve_body(content)
            with self._faults.around(route.call):
                answer = route.answer(RestRequest(ids, query, headers, content, parameters))
        except Dropped:
            raise
        except StatusError as refused:
            return _build_error_reply(refused, streams=streams)
        except Exception:
            fault = StatusError(grpc.StatusCode.INTERNAL, report_fault())
            return _build_error_reply(fault, streams=streams)
        reply = answer if isinstance(answer, RestReply) else RestReply(answer, {})
        return 200, reply.headers, msgspec.json.encode(reply.body)

    def close(self) -> None:
        """Answer nothing more."""
        self._loop.close()

    def _find_route(self, method: str, host: str, path: str) -> tuple[Route, dict[str, str]]:
        for route in self._routes.get(host, ()):
            found = route.pattern.fullmatch(path)
            if found is not None and route.method == method:
                return route, {name: unquote(part) for name, part in found.groupdict().items()}
        raise StatusError(grpc.StatusCode.NOT_FOUND, f"{host} serves no {method} {path}")


def camel_case(name: str) -> str:
    """A name as JSON writes it; Google reads both forms."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


class _Handler(AnyMethod):
    """Lets the products answer a request, writes the answer."""

    rest: RestServer
    max_body_bytes = MAX_BODY_BYTES

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """As the base says; a body that is too large is an invalid request."""
        too_large = code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        super().send_error(HTTPStatus.BAD_REQUEST if too_large else code, message, explain)

    def respond(self, body: bytes) -> None:
        """As the base says."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            status, more, answer = self.rest.respond(self.command, self.path, headers, body)
        except Dropped:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=UTF-8", **more}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)


def _build_routes(host: str, calls: Sequence[RestMethod]) -> list[Route]:
    return [
        Route(f"{host}/{call.name}", call.method, _compile_template(call.path), partial(_answer, call))
        for call in calls
    ]


def _answer(call: RestMethod, request: RestRequest) -> Resource | RestReply:
    """The answer to a request that asks for nothing beside what the call declares."""
    _refuse_unknown(request.query, {*call.parameters} | _COMMON_PARAMETERS, "Cannot bind query parameter.")
    check_fields(request.body, call.fields)
    stated = {key: it for key, it in request.body.items() if it is not None}
    return call.answer(request._replace(body=stated))


def _compile_template(template: str) -> re.Pattern[str]:
    """The paths that a template stands for; a colon begins a custom verb, never a part."""
    parts = _PATH_VARIABLE_PATTERN.sub(
        lambda found: f"(?P<{found[1]}>[^:]+)" if found[2] else f"(?P<{found[1]}>{PROJECT_SEGMENT})", template
    )
    return re.compile(parts)


def _decode_body(body: bytes) -> Resource:
    """The object in a body; an empty body is `{}`. Raises: Refused INVALID_ARGUMENT."""
    try:
        return from_json(body or b"{}", Resource)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StatusError(
            grpc.StatusCode.INVALID_ARGUMENT, f"Invalid JSON payload received. {error}"
        ) from error


def _build_error_reply(refused: StatusError, *, streams: bool) -> tuple[int, Mapping[str, str], bytes]:
    status = HTTP_STATUS.get(refused.code.name, 500)
    error = _build_error_body(refused, status)
    return status, {}, msgspec.json.encode([error] if streams else error)


def _build_error_body(refused: StatusError, status: int) -> Resource:
    """Google's error form (https://google.aip.dev/193)."""
    error: Resource = {"code": status, "message": refused.message, "status": refused.code.name}
    details = status_pb2.Status.FromString(
        next((value for name, value in refused.trailers if name.endswith("-bin")), b"")
    ).details
    if details:
        error["details"] = [json_format.MessageToDict(detail) for detail in details]
    named = [detail.get("reason", "") for detail in error.get("details", ())]
    reason = next((LEGACY_REASONS[one] for one in (*named, refused.code.name) if one in LEGACY_REASONS), "")
    if reason:
        error["errors"] = [{"message": refused.message, "domain": "global", "reason": reason}]
    return {"error": error}
