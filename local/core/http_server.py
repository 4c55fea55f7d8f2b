"""HTTP servers on loopback."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    """A server whose clients may hang up before they have read everything, as probes do."""

    request_queue_size = 128
    """Connections that wait to be taken: pushes of events come many at once."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of every error but that the client is gone."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def listen(port: int) -> tuple[ThreadingHTTPServer, str]:
    """Return a loopback server and its address; port 0 takes a free one.

    The caller sets its `RequestHandlerClass` before it serves.
    """
    server = _Server(("127.0.0.1", port), BaseHTTPRequestHandler)
    return server, f"127.0.0.1:{server.server_port}"
