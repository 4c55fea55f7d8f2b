"""HTTP/1.1 on loopback for servers that answer every method in one place."""

import socket
import time
import traceback
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

import msgspec

from local.core.http_body import BodyRefused, read_body

DRAIN_TIMEOUT_SECONDS = 1.0
DRAIN_SECONDS = 10.0
DRAIN_READ_BYTES = 64 * 1024


def report_fault() -> str:
    """Print the exception that is being handled, and return what its client learns of it."""
    traceback.print_exc()
    return "Internal error encountered."


class AnyMethod(BaseHTTPRequestHandler):
    """Lets `respond` answer each request, whatever its method, once its body is read."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    max_body_bytes: ClassVar[int] = 4 * 1024 * 1024
    """An event holds a document twice, before and after, each up to 1 MiB, in base64."""

    def __getattr__(self, name: str) -> Callable[[], None]:
        """The base asks for `do_GET`, `do_POST`, …: every method is answered in the same way."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._take_request

    @abstractmethod
    def respond(self, body: bytes) -> None:
        """Write the answer to the request with that body."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet: standard error belongs to faults."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that is not read, in Google's form, and close the connection."""
        said = message or explain or HTTPStatus(code).phrase
        status = "UNIMPLEMENTED" if code == HTTPStatus.NOT_IMPLEMENTED else "INVALID_ARGUMENT"
        answer = msgspec.json.encode({"error": {"code": code, "message": said, "status": status}})
        self.send_response(code)
        self.send_header("Connection", "close")
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def _take_request(self) -> None:
        try:
            body = read_body(self.request_version, self.headers, self.rfile, self.max_body_bytes)
        except BodyRefused as refused:
            self.send_error(refused.status, refused.reason)
            self._drain()
        else:
            self.respond(body)

    def _drain(self) -> None:
        """Read what the client still sends: a reset of the connection would lose the answer."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(DRAIN_TIMEOUT_SECONDS)
            until = time.monotonic() + DRAIN_SECONDS
            while time.monotonic() < until:
                if not self.connection.recv(DRAIN_READ_BYTES):
                    return
