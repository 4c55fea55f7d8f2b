import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.core.loopback import Loop


def test_a_server_that_nobody_asks_is_closed() -> None:
    """Its thread waits for requests alone, and ends all the same; closed twice it stays closed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    loop = Loop(server, "any")

    loop.close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.server_port), 1.0)
    loop.close()
