"""HTTP/1.1 on loopback for servers that answer every method in one place."""

from abc import abstractmethod
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler


class AnyMethod(BaseHTTPRequestHandler):
    """Lets `respond` read each request, whatever its method, and write its answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        """The base asks for `do_GET`, `do_POST`, …: every method is answered in the same way."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self.respond

    @abstractmethod
    def respond(self) -> None:
        """Read what of the request is left, and write the answer."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet: standard error belongs to faults."""
