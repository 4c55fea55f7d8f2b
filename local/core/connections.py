"""Cutting one client's connection to this process, as a network that fails does."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

OPEN_FILES = "/dev/fd"
"""The descriptors of this process, on Linux and macOS alike."""

IPV4_MAPPED_PREFIX = "::ffff:"
"""Begins an IPv4 address on a socket that serves IPv6 too, as those of gRPC do."""


def cut(peer: str) -> None:
    """End the connection from `peer` (`ipv4:127.0.0.1:4711`, as gRPC writes it), if there is one.

    gRPC hands out no socket of its own, so it is looked for among the process's open files.
    """
    _, _, address = unquote(peer).partition(":")
    host, _, port = address.rpartition(":")
    for connection in _sockets():
        with connection, suppress(OSError):  # not connected: a listener, or closed by now
            if connection.family == socket.AF_UNIX:  # an event loop's own
                continue
            far, far_port = connection.getpeername()[:2]
            if far_port == int(port) and far.removeprefix(IPV4_MAPPED_PREFIX) == host.strip("[]"):
                connection.shutdown(socket.SHUT_RDWR)


def _sockets() -> Iterator[socket.socket]:
    """A duplicate of each open socket of the process."""
    for descriptor in os.listdir(OPEN_FILES):
        try:
            duplicate = os.dup(int(descriptor))
        except OSError:  # closed since it was listed
            continue
        try:
            connection = socket.socket(fileno=duplicate)
        except OSError:  # a file
            os.close(duplicate)
            continue
        yield connection
