"""What an identity service answers, and what the secrets of a test account hold."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event

from shared.core.errors import Rejected
from tests.contracts.support.http_server import Quiet


class Vault:
    """What secrets hold here."""

    def __init__(self, held: dict[str, str]) -> None:
        self._held = held

    def read(self, name: str) -> str:
        """The value. Raises: Rejected."""
        if name not in self._held:
            raise Rejected(f"the secret {name} is gone")
        return self._held[name]


class Toolkit(ThreadingHTTPServer):
    """Answers every POST alike, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, bytes] = (200, b"")
        self.seen: list[tuple[str, str, str, bytes]] = []
        self.released = Event()
        self.late = False


class Handler(Quiet, BaseHTTPRequestHandler):
    """One request."""

    server: Toolkit

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = self.headers
        self.server.seen.append((headers["Host"], self.path, headers["X-Goog-Api-Key"], body))
        if self.server.late:
            self.server.released.wait(10)
        status, content = self.server.answer
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(content)
