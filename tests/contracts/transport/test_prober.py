"""The prober against servers that misbehave, and addresses that it must not ask."""

import errno
import os
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from shared.adapters.embedded_cloud import LATENCY_HEADER
from shared.adapters.prober import MAX_BODY_BYTES, HttpProber
from shared.core.errors import Rejected, Unavailable
from shared.domain.policy.probes import Probe
from shared.domain.signals.health import ProbeAnswer
from tests.contracts.support.http_server import Quiet, serving

HOST = "shop.example"
MOVED = {"/moved": "/landed", "/inside": "http://169.254.169.254/computeMetadata/v1/"}


@cache
def compress_zeros() -> bytes:
    """Return 200 MB of zeros, compressed."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()


class Server(ThreadingHTTPServer):
    """A web server on loopback that remembers the Host header and the path of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str]] = []
        self.written = 0
        self.released = threading.Event()


class Handler(Quiet, BaseHTTPRequestHandler):
    """Answers by the path."""

    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.headers["Host"], self.path))
        self.send_response(302 if self.path in MOVED else 200)
        self.send_header("Location", MOVED.get(self.path, ""))
        if self.path == "/bomb":
            self.send_header("Content-Encoding", "gzip")
        if self.path == "/says-slow":
            self.send_header(LATENCY_HEADER, "3600")
        self.end_headers()
        match self.path:
            case "/late":
                self.server.released.wait(0.2)
            case "/stuck":
                self.wfile.write(b"x" * 1000)
                self.server.released.wait(10)
            case "/endless":
                self._write_for_ever(b"x" * 100_000)
            case "/bomb":
                self.wfile.write(compress_zeros())

    def _write_for_ever(self, content: bytes) -> None:
        with suppress(ConnectionError):
            while not self.server.released.is_set():
                self.wfile.write(content)
                self.server.written += len(content)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with serving(server):
        yield server
        server.released.set()


def get(server: Server, path: str, seconds: float = 5) -> ProbeAnswer:
    """What a prober sees at a path of a host that the server plays."""
    probe = Probe("p", f"https://{HOST}{path}", timeout=timedelta(seconds=seconds))
    return HttpProber(lambda host: f"127.0.0.1:{server.server_port}").ask(probe)


def test_the_host_that_was_meant(server: Server) -> None:
    """Who plays a host is asked for that host, path and query, over plain HTTP."""
    answer = get(server, "/a/b?c=d#e")

    assert answer.passed
    assert server.seen == [(HOST, "/a/b?c=d")]


@pytest.mark.parametrize("path", ["/moved", "/inside"])
def test_a_redirect(server: Server, path: str) -> None:
    """A redirect is an answer, and is not followed, least of all to where secrets are."""
    answer = get(server, path)

    assert (answer.passed, answer.status) == (True, 302)
    assert server.seen == [(HOST, path)]


def test_a_body_without_an_end(server: Server) -> None:
    """So much of a page is read, and no more: its status is the answer."""
    answer = get(server, "/endless")

    assert (answer.passed, answer.status) == (True, 200)
    assert answer.seconds < 5
    assert server.written < 10 * MAX_BODY_BYTES  # what buffers on both sides hold


def test_a_body_that_stops_in_the_middle(server: Server) -> None:
    """A page that never comes whole is no page, whatever its status was."""
    answer = get(server, "/stuck", seconds=0.3)

    assert (answer.passed, answer.detail) == (False, "no answer in time")


def test_a_body_that_unpacks_to_gigabytes(server: Server) -> None:
    """Nothing is unpacked: a gigabyte in a megabyte costs a megabyte on its way."""
    compress_zeros()  # not while memory is measured
    tracemalloc.start()
    try:
        answer = get(server, "/bomb")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (answer.passed, answer.status) == (True, 200)
    assert most < 20_000_000


def test_how_long_an_answer_takes(server: Server) -> None:
    """To the last byte."""
    began = time.monotonic()
    answer = get(server, "/late")

    assert answer.passed
    assert 0.2 <= answer.seconds <= time.monotonic() - began


def test_how_long_an_embedded_cloud_says_that_its_answer_takes(server: Server) -> None:
    """Its time runs at another pace, on a machine that may be busy; nobody else is believed."""
    resolve, slow = lambda host: f"127.0.0.1:{server.server_port}", f"https://{HOST}/says-slow"

    answer = HttpProber(resolve, latency=LATENCY_HEADER).ask(Probe("p", slow))

    assert answer.seconds == 3600.0
    assert HttpProber(resolve).ask(Probe("p", slow)).seconds < 3600.0


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
        answer = ask(address, seconds=0.3)
        stop.set()

    assert answer == (False, None, "no answer in time")


def test_headers_without_an_end() -> None:
    """Headers are bounded: no answer is longer than anybody's page needs."""

    def flood(connection: socket.socket) -> None:
        connection.recv(1000)
        with suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for number in range(100_000):
                connection.sendall(b"X-%d: " % number + b"y" * 1000 + b"\r\n")

    with listening(flood) as address:
        passed, status, detail = ask(address)

    assert (passed, status) == (False, None)
    assert "ProtocolError" in detail


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
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[::169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
        "[2001:0:a9fe:a9fe::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[fd00:ec2::254]",
        "localhost",
    ],
)
def test_an_address_that_leads_inside(address: str) -> None:
    """A probe never asks the machine itself, its network or its metadata server, however spelt."""
    with pytest.raises(Rejected, match="is not on the internet"):
        HttpProber().ask(Probe("p", f"https://{address}/"))


def found(*addresses: str) -> list[tuple[Any, ...]]:
    """What a name service says, as `socket.getaddrinfo` tells it."""
    return [(0, 0, 0, "", (address, 443)) for address in addresses]


def test_a_host_with_one_address_inside() -> None:
    """One address that leads inside condemns the name: nobody knows which one is taken later."""
    prober = HttpProber(look_up=lambda host, port: found("151.101.1.195", "169.254.169.254"))

    with pytest.raises(Rejected):
        prober.ask(Probe("p", f"https://{HOST}/"))


def test_a_name_that_leads_elsewhere_the_second_time() -> None:
    """The address that was checked is the one that is asked: a name is looked up once."""
    answers = iter([found("151.101.1.195"), found("127.0.0.1")])
    prober = HttpProber(look_up=lambda host, port: next(answers))

    there = prober.destination(Probe("p", f"https://{HOST}/a?b=c"))

    assert there.url == "https://151.101.1.195:443/a?b=c"
    assert (there.host, there.server_name) == (HOST, HOST)


@pytest.mark.parametrize(
    ("addresses", "asked"),
    [
        (("2606:4700::1111", "151.101.1.195"), "151.101.1.195:443"),
        (("2606:4700::1111",), "[2606:4700::1111]:443"),
    ],
)
def test_a_host_with_addresses_of_both_kinds(addresses: tuple[str, ...], asked: str) -> None:
    """IPv4 wherever there is one: not every network that we run in has the other."""
    prober = HttpProber(look_up=lambda host, port: found(*addresses))

    assert prober.destination(Probe("p", f"https://{HOST}/")).url == f"https://{asked}/"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "https:///path",
        "x",
        "https://shop.example:99999/",
        "https://[::1/",
        "https://a..b/",
    ],
)
def test_an_address_that_is_none_of_the_web(url: str) -> None:
    """Only addresses with a host and a port that can be."""
    with pytest.raises(Rejected):
        HttpProber().ask(Probe("p", url))


def test_an_address_in_the_clear() -> None:
    """Plain HTTP goes to an embedded cloud and nowhere else."""
    with pytest.raises(Rejected, match="in the clear"):
        HttpProber().ask(Probe("p", f"http://{HOST}/"))


def failing(error: Exception) -> HttpProber:
    """A prober whose way out fails."""

    def look_up(host: str, port: int) -> list[tuple[Any, ...]]:
        raise error

    return HttpProber(look_up=look_up)


def unconnected(code: int) -> httpx.ConnectError:
    """As httpx tells of a connection that could not be made."""
    error = httpx.ConnectError("all attempts failed")
    error.__cause__ = OSError(code, os.strerror(code))
    return error


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "no such name"),
        unconnected(errno.ECONNREFUSED),
        unconnected(errno.EHOSTUNREACH),
    ],
)
def test_nobody_is_there(error: Exception) -> None:
    """A user finds nothing there either: a failure of what was asked."""
    answer = failing(error).ask(Probe("p", f"https://{HOST}/"))

    assert (answer.passed, answer.status) == (False, None)


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_AGAIN, "name service down"),
        socket.gaierror(socket.EAI_FAIL, "name service broken"),
        socket.gaierror(socket.EAI_SYSTEM, "no sockets"),
        OSError(errno.EMFILE, "no sockets"),
        unconnected(errno.ENETUNREACH),
        unconnected(errno.EADDRNOTAVAIL),
    ],
)
def test_we_are_cut_off_ourselves(error: Exception) -> None:
    """What we could not look at is not known, and no failure."""
    with pytest.raises(Unavailable):
        failing(error).ask(Probe("p", f"https://{HOST}/"))
