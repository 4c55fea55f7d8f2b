"""A server's requests on loopback, taken in a thread of its own."""

import socket
import threading
from contextlib import suppress
from socketserver import TCPServer

CLOSE_CONNECT_TIMEOUT_SECONDS = 1.0
"""A queue that is full wakes the thread as well."""


class Loop:
    """Takes requests from its making to `close`, and polls nothing: who closes it knocks."""

    def __init__(self, server: TCPServer, name: str) -> None:
        self._server = server
        self._is_closing = False
        self._thread = threading.Thread(target=self._take, name=name, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while not self._is_closing:
            self._server.handle_request()

    def close(self) -> None:
        """Return when no request is taken any more, and nobody listens."""
        self._is_closing = True
        host, port, *_ = self._server.server_address
        with suppress(OSError):
            socket.create_connection((str(host), int(port)), CLOSE_CONNECT_TIMEOUT_SECONDS).close()
        self._thread.join()
        self._server.server_close()
