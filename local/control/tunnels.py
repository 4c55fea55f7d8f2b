"""A proxy that plays Google's own host names: a tunnel leads to the server that plays the host.

A client that knows the names by heart and insists on TLS sends CONNECT. TLS ends here, by a
certificate of the cloud's own authority; ALPN decides between the gRPC server (h2) and HTTP.
"""

import asyncio
import socket
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from msgspec import Struct

HTTPS_PORT = "443"
CONNECT_TIMEOUT_SECONDS = 10.0
READ_BYTES = 64 * 1024


class PlayedHost(Struct, frozen=True):
    """Where a host's servers listen, as `127.0.0.1:port`."""

    http: str
    grpc: str


class Proxy:
    """Listens on loopback from its making until `close`; to any other host nothing is led."""

    def __init__(
        self, hosts: Mapping[str, PlayedHost], tls: Callable[[], ssl.SSLContext], port: int = 0
    ) -> None:
        self._hosts = hosts
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._connections: set[StreamWriter] = set()
        self._tunnels: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Return when every tunnel is cut and nobody listens."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._take, sock=self._listener)
        await self._closing.wait()
        server.close()
        for connection in list(self._connections):
            connection.transport.abort()
        for tunnel in self._tunnels:
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed in the next turn of the loop

    def _take(self, reader: StreamReader, writer: StreamWriter) -> None:
        tunnel = self._loop.create_task(self._serve_client(reader, writer))
        self._tunnels.add(tunnel)
        tunnel.add_done_callback(self._tunnels.discard)

    async def _serve_client(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError, EOFError, asyncio.LimitOverrunError), self._open(writer):  # gone, or no client
            await self._lead(reader, writer)

    @contextmanager
    def _open(self, connection: StreamWriter) -> Iterator[None]:
        """Close it at the end, or with the proxy."""
        self._connections.add(connection)
        try:
            yield
        finally:
            self._connections.discard(connection)
            connection.close()

    async def _lead(self, reader: StreamReader, writer: StreamWriter) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            request = await reader.readuntil(b"\r\n\r\n")
        method, _, target = request.partition(b"\r\n")[0].decode("latin-1").rpartition(" ")[0].partition(" ")
        host, _, port = target.rpartition(":")
        found = self._hosts.get(host.lower())
        if method != "CONNECT" or port != HTTPS_PORT or found is None:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.start_tls(self._tls())
        is_grpc = writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        await self._join(reader, writer, found.grpc if is_grpc else found.http)

    async def _join(self, reader: StreamReader, writer: StreamWriter, address: str) -> None:
        """Lead a client to a server until that closes the connection, as it does for a lost one."""
        server_reader, server_writer = await asyncio.open_connection(*address.split(":"))
        with self._open(server_writer):
            sending = asyncio.create_task(_copy(reader, server_writer))
            try:
                await _copy(server_reader, writer)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):  # one of the two is gone
        while content := await reader.read(READ_BYTES):
            writer.write(content)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
