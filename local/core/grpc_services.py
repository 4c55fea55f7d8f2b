"""gRPC services from Google's own message types: the wheels ship clients, this turns them around.

The wheels hold no servicers. A recording channel reads the method table of a service (path and
message classes) off its generated client, and any object with methods of the same names serves it.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NoReturn, TypeAlias

import grpc
from google.auth.credentials import AnonymousCredentials
from google.iam.v1 import iam_policy_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2

from local.core import connections
from local.core.http_handler import report_fault
from local.faults.hooks import FaultHooks

MESSAGE_LIMIT_BYTES = 32 * 1024 * 1024
WORKERS = 128
"""Each Listen, StreamingPull and blocking Pull holds one."""

ServiceDefinition: TypeAlias = type[Any] | ServiceDescriptor
"""A generated gRPC transport class; for Operations and IAMPolicy, which have none, a descriptor."""

MessageReader: TypeAlias = Callable[[bytes, type[Message]], Message]

_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
_MIXINS = ("/google.longrunning.", "/google.iam.v1.", "/google.cloud.location.")


@dataclass(frozen=True)
class Method:
    """One call of a service, as its generated client knows it."""

    path: str
    kind: str
    request: type[Message]
    response: type[Message]

    @property
    def name(self) -> str:
        """The call's name without its service: `Commit`."""
        return self.path.rsplit("/", 1)[1]


class StatusError(Exception):
    """The answer is a status: raised by a service, or by a fault, and sent as it is."""

    def __init__(
        self, code: grpc.StatusCode, message: str, trailers: tuple[tuple[str, str | bytes], ...] = ()
    ) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.trailers = trailers


class Dropped(StatusError):
    """The connection is cut before an answer is sent: the client sees it closed, UNAVAILABLE."""

    def __init__(self, message: str) -> None:
        super().__init__(grpc.StatusCode.UNAVAILABLE, message)


def build_detailed_error(code: grpc.StatusCode, message: str, *details: Message) -> StatusError:
    """A refusal that carries messages (RetryInfo, ErrorInfo, …) in its status details."""
    if not details:
        return StatusError(code, message)
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return StatusError(code, message, (("grpc-status-details-bin", status.SerializeToString()),))


class _StubRecorder:
    """A channel that carries nothing and remembers which stubs were made on it."""

    def __init__(self) -> None:
        self.methods: list[Method] = []

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        if kind not in _KINDS:
            raise AttributeError(kind)

        def stub(
            path: str, request_serializer: Any = None, response_deserializer: Any = None
        ) -> Callable[..., None]:
            if not path.startswith(_MIXINS):
                request = _protobuf_class(request_serializer) or _mixin_request_type(path)
                response = _protobuf_class(response_deserializer)
                self.methods.append(Method(path, kind, request, response))
            return lambda: None

        return stub


def _protobuf_class(codec: Any) -> Any:
    """The protobuf class behind a (de)serialiser: proto-plus wraps it in `pb`.

    None for an unbound `SerializeToString`, as transports pass it for plain protobuf classes: it
    does not know whose it is.
    """
    owner: Any = getattr(codec, "__self__", None)
    return owner.pb() if hasattr(owner, "pb") else owner


def _mixin_request_type(path: str) -> type[Message]:
    """The request of a call that a service shares with `google.iam.v1.IAMPolicy`, by its name."""
    shared = iam_policy_pb2.DESCRIPTOR.services_by_name["IAMPolicy"].methods_by_name
    request: type[Message] = GetMessageClass(shared[path.rpartition("/")[2]].input_type)
    return request


_tables: dict[object, tuple[Method, ...]] = {}
"""Of each service: they do not change, and take longer to read than a server to start."""


def methods(service: ServiceDefinition) -> tuple[Method, ...]:
    """The method table of a service, off its generated gRPC transport or its descriptor."""
    if service not in _tables:
        _tables[service] = _build_method_table(service)
    return _tables[service]


def _build_method_table(service: ServiceDefinition) -> tuple[Method, ...]:
    """The table anew.

    Private parts of the transport are touched: a test pins what comes out for the pinned clients.
    """
    if isinstance(service, ServiceDescriptor):
        return tuple(
            Method(
                f"/{service.full_name}/{method.name}",
                "unary_unary",
                GetMessageClass(method.input_type),
                GetMessageClass(method.output_type),
            )
            for method in service.methods
        )
    recorder = _StubRecorder()
    channel = grpc.insecure_channel("127.0.0.1:0")
    transport = service(channel=channel, credentials=AnonymousCredentials())
    # The transport's own logging interceptor makes unary stubs only when they are first called.
    transport._logged_channel = recorder
    transport._stubs.clear()
    for name, _ in inspect.getmembers(service, lambda member: isinstance(member, property)):
        getattr(transport, name)
    channel.close()
    return tuple(recorder.methods)


def served_call_names(services: Mapping[ServiceDefinition, object]) -> list[str]:
    """The full names of the calls that have an implementation: `google.….Firestore/Commit`."""
    return [
        method.path.strip("/")
        for service, implementation in services.items()
        for method in methods(service)
        if hasattr(implementation, method.name)
    ]


def serve(
    services: Mapping[ServiceDefinition, object],
    faults: FaultHooks,
    port: int = 0,
    read: MessageReader = lambda raw, kind: kind.FromString(raw),
    require: Callable[[Message], None] = lambda _: None,
) -> tuple[grpc.Server, str]:
    """Serve implementations by their service on loopback; the started server and its address.

    `read` returns the message in the bytes of a request. `require` refuses a request, or the first
    one of a stream, where the service is off in its project.

    An implementation answers `Name(request, context)` with raw protobuf messages, or an iterator of
    them for a stream; calls it has no method for answer UNIMPLEMENTED.
    """
    server = grpc.server(
        ThreadPoolExecutor(WORKERS, thread_name_prefix="cloud"),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
            ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    for service, implementation in services.items():
        for method in methods(service):
            answer = getattr(implementation, method.name, None)
            if answer is not None:
                server.add_generic_rpc_handlers((_handler(method, answer, faults, read, require),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, f"127.0.0.1:{bound}"


def _handler(
    method: Method,
    answer: Callable[..., Any],
    faults: FaultHooks,
    read: MessageReader,
    require: Callable[[Message], None],
) -> Any:
    call = method.path.strip("/")
    service, name = call.split("/")

    def admit(request: Any) -> Any:
        """Return the request, or the requests of a stream, once the first one is admitted."""
        if method.kind.startswith("unary_"):
            require(request)
            return request
        first = tuple(islice(request, 1))
        for message in first:
            require(message)
        return chain(first, request)

    def unary(request: Any, context: grpc.ServicerContext) -> Message:
        try:
            with faults.around(call):
                response: Message = answer(admit(request), context)
            return response
        except Exception as error:
            _refuse(context, error)

    def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
        try:
            with faults.around(call):
                yield from answer(admit(request), context)
        except Exception as error:
            _refuse(context, error)

    make = getattr(grpc, f"{method.kind}_rpc_method_handler")
    handler = make(
        unary if method.kind.endswith("_unary") else stream,
        request_deserializer=lambda raw: read(raw, method.request),
        response_serializer=method.response.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(service, {name: handler})


def _refuse(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    """End a call with the status that was raised, or with INTERNAL and a trace."""
    if isinstance(error, grpc.RpcError):  # the client has cancelled the call
        raise error
    if not isinstance(error, StatusError):
        error = StatusError(grpc.StatusCode.INTERNAL, report_fault())
    if isinstance(error, Dropped):
        connections.cut(context.peer())
    context.set_trailing_metadata(error.trailers)
    context.abort(error.code, error.message)
