"""Cloud Storage's HTTP server on loopback; every call passes the faults by its name."""

import socket
from contextlib import suppress

import grpc

from local.core.grpc_services import Dropped, StatusError
from local.core.http_handler import AnyMethod, report_fault
from local.core.http_server import listen
from local.core.loopback import Loop
from local.faults.hooks import FaultHooks
from local.services.storage.buckets import MAX_OBJECT_BYTES
from local.services.storage.errors import Refusal
from local.services.storage.requests import StorageAnswer, StorageRequest
from local.services.storage.service import NAME, StorageService

_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: (400, "invalid"),
    grpc.StatusCode.UNAUTHENTICATED: (401, "required"),
    grpc.StatusCode.PERMISSION_DENIED: (403, "forbidden"),
    grpc.StatusCode.NOT_FOUND: (404, "notFound"),
    grpc.StatusCode.ALREADY_EXISTS: (409, "conflict"),
    grpc.StatusCode.ABORTED: (409, "conflict"),
    grpc.StatusCode.FAILED_PRECONDITION: (412, "conditionNotMet"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (429, "rateLimitExceeded"),
    grpc.StatusCode.UNAVAILABLE: (503, "backendError"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (504, "gatewayTimeout"),
}
"""What an injected status is in HTTP; every other one is 500."""


class StorageServer:
    """Listens from its making until `close`."""

    def __init__(self, service: StorageService, faults: FaultHooks, port: int = 0) -> None:
        self._service = service
        self._faults = faults
        server, self.address = listen(port)
        server.RequestHandlerClass = type("Handler", (_Handler,), {"owner": self})
        self._loop = Loop(server, "storage")

    def answer(self, request: StorageRequest) -> StorageAnswer:
        """What one request gets. Raises: Dropped."""
        try:
            call, perform = self._service.call(request)
            with self._faults.around(call):
                return perform()
        except Refusal as refusal:
            return _build_error_answer(request, refusal)
        except Dropped:
            raise
        except StatusError as injected:
            status, reason = _STATUSES.get(injected.code, (500, "backendError"))
            return _build_error_answer(request, Refusal(status, reason, injected.message))
        except Exception:
            return _build_error_answer(request, Refusal(500, "backendError", report_fault()))

    def close(self) -> None:
        """Return when nothing is answered any more."""
        self._loop.close()


def _build_error_answer(request: StorageRequest, refusal: Refusal) -> StorageAnswer:
    """JSON, but for downloads, which say the bare words."""
    if request.query.get("alt") == "media" and refusal.status != 304:
        words = {"Content-Type": "text/html; charset=UTF-8"}
        return StorageAnswer(refusal.status, words, refusal.message.encode())
    return StorageAnswer(refusal.status, {"Content-Type": "application/json"}, refusal.body())


class _Handler(AnyMethod):
    """Lets the owner answer a request, writes the answer."""

    owner: StorageServer
    max_body_bytes = MAX_OBJECT_BYTES

    def respond(self, body: bytes) -> None:
        """As the base says."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host", self.owner.address)
        origin = f"{'https' if host == NAME else 'http'}://{host}"  # the proxy plays the name over TLS
        try:
            answer = self.owner.answer(StorageRequest(self.command, self.path, headers, body, origin))
        except Dropped:
            self.close_connection = True
            with suppress(OSError):  # the client has hung up first
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
