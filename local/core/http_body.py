"""The body of an HTTP request, with a length or in chunks (RFC 9112, sections 6 and 7)."""

import re
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase

MAX_LINE_BYTES = 4096
"""Of a chunk's size with its extensions, and of a trailer."""
MAX_TRAILERS = 64
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")


class BodyRefused(Exception):
    """A body that is not read to its end: the connection cannot be used any more."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def read_body(version: str, headers: Message, stream: BufferedIOBase, limit: int) -> bytes:
    """Return the whole body; a request without length and chunks has none.

    Trailers and extensions of chunks are read and ignored. Two ways to say where the body ends are
    refused, because a proxy may read the other one. Raises: BodyRefused.
    """
    lengths = set(headers.get_all("Content-Length", []))
    codings = headers.get_all("Transfer-Encoding", [])
    if not codings:
        return _read_length(lengths, stream, limit)
    if lengths or version != "HTTP/1.1":
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "Transfer-Encoding beside Content-Length or in HTTP/1.0")
    if [coding.strip().lower() for coding in codings] != ["chunked"]:
        raise BodyRefused(HTTPStatus.NOT_IMPLEMENTED, "Transfer-Encoding must be chunked")
    return _read_chunks(stream, limit)


def _read_length(lengths: set[str], stream: BufferedIOBase, limit: int) -> bytes:
    if not lengths:
        return b""
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "Content-Length is not one number")
    _require_room(int(length), limit)
    return _read_exactly(stream, int(length))


def _read_chunks(stream: BufferedIOBase, limit: int) -> bytes:
    body = bytearray()
    while size := _read_chunk_size(stream):
        _require_room(len(body) + size, limit)
        body += _read_exactly(stream, size)
        if _read_exactly(stream, 2) != b"\r\n":
            raise BodyRefused(HTTPStatus.BAD_REQUEST, "A chunk is longer than its size")
    for _ in range(MAX_TRAILERS):
        if not _read_line(stream):
            return bytes(body)
    raise BodyRefused(HTTPStatus.BAD_REQUEST, "Too many trailers")


def _read_chunk_size(stream: BufferedIOBase) -> int:
    found = _CHUNK_SIZE.fullmatch(_read_line(stream))
    if found is None:
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "The size of a chunk is not a number")
    return int(found[1], 16)


def _read_line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\r\n"):
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "A line between chunks is too long or does not end")
    return line[:-2]


def _read_exactly(stream: BufferedIOBase, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "The body ends too early")
    return content


def _require_room(size: int, limit: int) -> None:
    if size > limit:
        said = f"Request payload size exceeds the limit: {limit} bytes."
        raise BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said)
