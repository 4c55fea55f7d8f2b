"""HTTP/1.1 on loopback for servers that answer every method in one place."""

import socket
import time
import traceback
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

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
