"""The prober against servers that misbehave, and addresses that it must not ask."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.errors import Rejected
from shared.policy import Probe
from shared.prober import HttpProber

HOST = "shop.example"


class Server(ThreadingHTTPServer):
    """A web server on loopback that remembers the Host header and the path of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str]] = []
        self.released = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers by the path."""

    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.headers["Host"], self.path))
        self.send_response(302 if self.path == "/moved" else 200)
        self.send_header("Location", "/landed")
        self.end_headers()
        if self.path == "/endless":
            self.wfile.write(b"x" * 100_000)
            self.server.released.wait(10)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base's name


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def prober_to(server: Server) -> HttpProber:
    return HttpProber(lambda host: f"127.0.0.1:{server.server_port}")


def test_the_host_that_was_meant(server: Server) -> None:
    """Who plays a host is asked for that host, path and query, over plain HTTP."""
    answer = prober_to(server).ask(Probe("p", f"https://{HOST}/a/b?c=d#e"))

    assert answer.passed
    assert server.seen == [(HOST, "/a/b?c=d")]


def test_a_redirect(server: Server) -> None:
    """A redirect is an answer, and is not followed."""
    answer = prober_to(server).ask(Probe("p", f"https://{HOST}/moved"))

    assert (answer.passed, answer.status) == (True, 302)
    assert server.seen == [(HOST, "/moved")]


def test_a_body_without_an_end(server: Server) -> None:
    """The status is the answer: nobody waits for the body."""
    probe = Probe("p", f"https://{HOST}/endless", timeout=timedelta(seconds=5))
    began = time.monotonic()

    answer = prober_to(server).ask(probe)

    assert (answer.passed, answer.status) == (True, 200)
    assert time.monotonic() - began < 4


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that treats one connection in its own way; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def ask(address: str, seconds: float = 5) -> tuple[bool, int | None, str]:
    probe = Probe("p", f"https://{HOST}/", timeout=timedelta(seconds=seconds))
    answer = HttpProber(lambda host: address).ask(probe)
    return answer.passed, answer.status, answer.detail


def test_a_server_that_says_a_little_now_and_then() -> None:
    """The time-out bounds the whole exchange, however busy the other side looks."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not stop.wait(0.02):
            try:
                connection.sendall(b"X: y\r\n")
            except OSError:
                return

    with listening(drip) as address:
        began = time.monotonic()
        answer = ask(address, seconds=0.3)
        took = time.monotonic() - began
        stop.set()

    assert answer == (False, None, "no answer in time")
    assert took < 2


@pytest.mark.parametrize("said", [b"", b"not HTTP\r\n\r\n", b"HTTP/1.1 200"])
def test_a_server_that_does_not_answer(said: bytes) -> None:
    """Cut off or not HTTP: no answer, which is a failure of what was asked."""

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(said)

    with listening(serve) as address:
        passed, status, detail = ask(address)

    assert (passed, status) == (False, None)
    assert detail


def test_a_port_that_nobody_listens_at() -> None:
    """A refused connection is a failure of what was asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"

    passed, status, detail = ask(address)

    assert (passed, status) == (False, None)
    assert "ConnectError" in detail


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.1",
        "224.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
    ],
)
def test_an_address_that_leads_inside(address: str) -> None:
    """A probe never asks the machine itself, its network or its metadata server."""
    with pytest.raises(Rejected):
        HttpProber().ask(Probe("p", f"http://{address}/"))


def test_a_name_that_leads_inside() -> None:
    """It is the address behind the name that counts."""
    with pytest.raises(Rejected):
        HttpProber().ask(Probe("p", "http://localhost/"))


@pytest.mark.parametrize("url", ["ftp://shop.example/", "file:///etc/passwd", "https:///path", "x"])
def test_an_address_that_is_none_of_the_web(url: str) -> None:
    """Only http and https, with a host."""
    with pytest.raises(Rejected):
        HttpProber().ask(Probe("p", url))
