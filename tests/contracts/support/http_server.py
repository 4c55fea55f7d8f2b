"""A server of a test's own on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from local.core.loopback import Loop


class Quiet:
    """Of a request handler: it writes nothing to standard error."""

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base's name


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[Loop]:
    """It answers until the body is left."""
    loop = Loop(server, "a test's own")
    try:
        yield loop
    finally:
        loop.close()
