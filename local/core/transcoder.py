"""The REST form of gRPC services: paths by their `google.api.http` annotations, messages as JSON.

The descriptors of the wheels are proto-plus's, without the annotations; the generated REST client
of each service carries them. https://github.com/googleapis/googleapis/blob/master/google/api/http.proto
"""

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from local.core.grpc_services import Method, ServiceDefinition, StatusError, build_detailed_error, methods
from local.core.rest import Resource, RestRequest, Route

SYSTEM_PARAMETERS = frozenset(
    {
        "access_token",
        "alt",
        "callback",
        "fields",
        "key",
        "oauth_token",
        "prettyPrint",
        "quotaUser",
        "uploadType",
        "upload_protocol",
        "userProject",
    }
)
"""Of every call, beside those with `$`: https://cloud.google.com/apis/docs/system-parameters."""

_VARIABLE_PATTERN = re.compile(r"\{([\w.]+)(?:=([^}]+))?\}")
_WILDCARD_PATTERN = re.compile(r"documents/\*/\*\*|/\*\*|\*\*|\*")
_WILDCARDS = {
    "documents/*/**": "documents(?:/[^/]+/[^/]+)+",  # a document's path has an even number of parts
    "/**": "(?:/.*)?",
    "**": ".+",
    "*": "[^/]+",
}
_BASE64_PATTERN = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_UNKNOWN_FIELD_PATTERN = re.compile(r'no field named "([^"]+)" at "([^"]+)"')


class HttpRule(NamedTuple):
    """One binding of a call, as `google.api.HttpRule` has it."""

    method: str
    template: str
    body: str = ""
    """The field that the body holds; `*`: all of the request."""


class RestContext:
    """The context of a call that came by REST: its client stays until it has its answer."""

    def is_active(self) -> bool:
        """Return that the client is there."""
        return True

    def add_callback(self, _callback: Callable[[], None]) -> bool:
        """Return that it is noted; the call never ends before its answer."""
        return True


def build_routes(
    services: Mapping[ServiceDefinition, object],
    ungenerated: Mapping[str, HttpRule],
    admit: Callable[[Message], None] = lambda _: None,
) -> tuple[Route, ...]:
    """The routes of every call of the services of one host that has a REST form.

    `admit` changes a message before its call has it.
    `ungenerated` has rules of calls whose service has no generated REST client. A call without an
    implementation answers UNIMPLEMENTED.
    """
    rules = {name: [rule] for name, rule in ungenerated.items()}
    for service in services:
        for name, rule in _read_rules(service):
            rules.setdefault(name, []).append(rule)
    routes = [
        (rule.template, _build_route(method, rule, getattr(implementation, method.name, None), admit))
        for service, implementation in services.items()
        for method in methods(service)
        for rule in dict.fromkeys(rules.get(method.name, ()))
    ]
    # A verb is never the end of a name, and a list is no name that has several parts or none.
    routes.sort(key=lambda one: (":" not in one[0], one[0].endswith("/**}")))
    return tuple(route for _, route in routes)


def compile_template(template: str) -> re.Pattern[str]:
    """The paths that a template stands for, a group per variable with `__` for each dot."""
    pattern, end = "", 0
    for found in _VARIABLE_PATTERN.finditer(template):
        segments = _WILDCARD_PATTERN.sub(lambda one: _WILDCARDS[one[0]], found[2] or "*")
        name = found[1].replace(".", "__")
        pattern += f"{re.escape(template[end : found.start()])}(?P<{name}>{segments})"
        end = found.end()
    return re.compile(pattern + re.escape(template[end:]))


def _read_request(kind: type[Message], rule: HttpRule, request: RestRequest) -> Message:
    """The message that a path, its parameters and a body stand for.

    Raises: StatusError INVALID_ARGUMENT.
    """
    message = kind()
    if not rule.body and request.body:
        raise _refuse_field(next(iter(request.body)), "")
    _merge(message, request.body if rule.body in ("", "*") else {rule.body: request.body})
    named = [(name, value) for name, value in request.parameters if not _is_of_system(name, value)]
    _merge(message, _nest(message.DESCRIPTOR, named))
    ids = [(name.replace("__", "."), value) for name, value in request.ids.items()]
    _merge(message, _nest(message.DESCRIPTOR, ids))
    return message


def _read_rules(service: ServiceDefinition) -> Iterator[tuple[str, HttpRule]]:
    """The rules of each call, with those of operations and policies at the service's host.

    Private parts of the transport are touched: a test pins what comes out for the pinned clients.
    """
    if isinstance(service, ServiceDescriptor):
        return
    transports = importlib.import_module(service.__module__.rpartition(".")[0])
    for name, transport in vars(transports).items():
        if name.endswith("RestTransport"):
            for call in dir(transport):
                options = getattr(getattr(transport, call), "_get_http_options", None)
                for one in options() if options and call.startswith("_Base") else ():
                    rule = HttpRule(one["method"].upper(), one["uri"], one.get("body", ""))
                    yield call.removeprefix("_Base"), rule


def _build_route(
    method: Method,
    rule: HttpRule,
    implementation: Callable[..., Any] | None,
    admit: Callable[[Message], None],
) -> Route:
    streams = method.kind == "unary_stream"

    def answer(request: RestRequest) -> Any:
        if implementation is None:
            raise StatusError(grpc.StatusCode.UNIMPLEMENTED, f"{method.path.strip('/')} is not served here.")
        message = _read_request(method.request, rule, request)
        admit(message)
        answered = implementation(message, RestContext())
        numbers = "enum-encoding=int" in request.query.get("$alt", "")
        shown = [_write(one, numbers=numbers) for one in (answered if streams else [answered])]
        return shown if streams else shown[0]

    pattern = compile_template(rule.template)
    return Route(method.path.strip("/"), rule.method, pattern, answer, streams, is_transcoded=True)


def _write(message: Message, *, numbers: bool) -> Resource:
    written: Resource = json_format.MessageToDict(message, use_integers_for_enums=numbers)
    return written


def _is_of_system(name: str, value: str) -> bool:
    if name.removeprefix("$") == "alt" and not value.startswith("json"):
        raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, f"alt={value} is not served here.")
    return name.startswith("$") or name in SYSTEM_PARAMETERS


def _merge(message: Message, content: Resource) -> None:
    try:
        json_format.ParseDict(_read_fields(message.DESCRIPTOR, content), message)
    except json_format.ParseError as error:
        unknown = _UNKNOWN_FIELD_PATTERN.search(str(error))
        if unknown:
            raise _refuse_field(unknown[1], unknown[2].partition(".")[2]) from error
        raise _refuse("", str(error)) from error


def _nest(descriptor: Descriptor, parameters: Sequence[tuple[str, str]]) -> Resource:
    """The fields that parameters name (`options.requestedPolicyVersion`), as JSON has them."""
    nested: Resource = {}
    for path, value in parameters:
        holder, within = nested, descriptor
        *parents, last = path.split(".")
        for part in parents:
            field = _find_field(within, part, path)
            holder, within = holder.setdefault(field.name, {}), field.message_type
        field = _find_field(within, last, path)
        if field.is_repeated:
            holder.setdefault(field.name, []).append(_read_parameter(field, value))
        else:
            holder[field.name] = _read_parameter(field, value)
    return nested


def _find_field(descriptor: Descriptor | None, name: str, path: str) -> FieldDescriptor:
    fields: Iterable[FieldDescriptor] = descriptor.fields if descriptor is not None else ()
    for field in fields:
        if name in (field.name, field.json_name):
            return field
    raise _refuse(
        path,
        f"Unknown name \"{path}\": Cannot bind query parameter. Field '{path}' could not be found in"
        " request message.",
    )


def _read_parameter(field: FieldDescriptor, value: str) -> str | bool:
    """The value as JSON has it."""
    if field.type == FieldDescriptor.TYPE_BOOL and value in ("true", "false"):
        return value == "true"
    return value


def _read_fields(descriptor: Descriptor, content: Resource, place: str = "") -> Resource:
    """The content of a message, with masks as JSON has them. Raises: StatusError."""
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    return {
        key: _read_value(fields[key], it, f"{place}{key}") if key in fields else it
        for key, it in content.items()
    }


def _read_value(field: FieldDescriptor, value: Any, place: str) -> Any:
    """The value of a field; a mask may name its fields as the proto does, and bytes are base64."""
    if isinstance(value, list):
        return [_read_value(field, one, f"{place}[{at}]") for at, one in enumerate(value)]
    kind = field.message_type
    if isinstance(value, str) and field.type == FieldDescriptor.TYPE_BYTES:
        _check_base64(value, place)
    if isinstance(value, str) and kind is not None and kind.full_name == FieldMask.DESCRIPTOR.full_name:
        return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), value)
    if not isinstance(value, dict) or kind is None or kind.full_name.startswith("google.protobuf."):
        return value
    if kind.GetOptions().map_entry:
        held = kind.fields_by_name["value"]
        return {key: _read_value(held, it, f"{place}[{key}]") for key, it in value.items()}
    return _read_fields(kind, value, f"{place}.")


def _check_base64(text: str, place: str) -> None:
    """Both alphabets are read, with padding or without. Raises: StatusError INVALID_ARGUMENT."""
    length = len(text.rstrip("="))
    if not _BASE64_PATTERN.fullmatch(text) or length % 4 == 1 or (len(text) > length and len(text) % 4):
        why = f"Invalid value at '{place}' (TYPE_BYTES), Base64 decoding failed for \"{text}\""
        raise _refuse(place, why, "")


def _refuse_field(name: str, place: str) -> StatusError:
    where = f" at '{place}'" if place else ""
    return _refuse(place, f'Unknown name "{name}"{where}: Cannot find field.')


def _refuse(field: str, why: str, begins: str = "Invalid JSON payload received. ") -> StatusError:
    """The front end's own refusal of what it cannot read."""
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=why)
    return build_detailed_error(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"{begins}{why}",
        error_details_pb2.BadRequest(field_violations=[violation]),
    )
