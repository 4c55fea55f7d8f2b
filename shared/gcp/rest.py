"""Google's REST APIs that have no Python client: JSON over an authorised session."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
import requests
from google.auth.exceptions import GoogleAuthError
from msgspec import Struct

from shared.errors import Rejected, Unavailable
from shared.gcp.answers import READ, READ_SECONDS, Meanings, meant

ANSWER_BYTES: Final = 8 * 1024 * 1024
"""Several times the largest answer that is read: a Remote Config template may have 1,000,000
characters, a page of anything here 1,000 entries."""
MOST_PAGES: Final = 50
_CHUNK_BYTES = 64 * 1024

T = TypeVar("T")

_BY_CODE: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.CONFLICT: "ABORTED",
    HTTPStatus.PRECONDITION_FAILED: "FAILED_PRECONDITION",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.NOT_IMPLEMENTED: "UNIMPLEMENTED",
}
"""For an answer without Google's error form (google/rpc/code.proto); of any other code nothing is
known."""
_KNOWN = {*_BY_CODE.values(), *READ, "ALREADY_EXISTS", "OUT_OF_RANGE"}


class Gone(Rejected):
    """There is no such thing."""


GET: Meanings = {**READ, "NOT_FOUND": Gone}


class _Detail(Struct, frozen=True):
    retry_delay: str = msgspec.field(name="retryDelay", default="")


class _Error(Struct, frozen=True):
    message: str = ""
    status: str = ""
    details: list[_Detail] = []


class _Refusal(Struct, frozen=True):
    error: _Error = _Error()


class Rest:
    """One product's API. Answers are bounded in size and time, redirects are not followed.

    `base` is `https://HOST`, or the address of an embedded cloud that plays the host.
    """

    def __init__(self, session: requests.Session, base: str, host: str) -> None:
        self._session = session
        self._base = base
        self._host = host

    def get(
        self,
        path: str,
        kind: type[T],
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """The answer to a GET. Raises: Gone, Rejected, Unavailable, Throttled."""
        return self._read(self._asked("GET", path, query, headers or {})[0], kind)

    def tagged(self, path: str, kind: type[T]) -> tuple[T, str]:
        """The answer to a GET, and its etag."""
        content, answered = self._asked("GET", path, None, {})
        return self._read(content, kind), answered.get("ETag", "")

    def post(self, path: str, body: Mapping[str, Any], kind: type[T]) -> T:
        """The answer to a POST that changes nothing."""
        return self._read(self._asked("POST", path, None, {}, body)[0], kind)

    def pages(self, path: str, kind: type[T], size: int) -> Iterator[T]:
        """Every page of a list; `kind` has the field `next_page_token`.

        Raises: Unavailable also when there are too many: what is not read is not absent.
        """
        token = ""
        for _ in range(MOST_PAGES):
            query = {"pageSize": str(size), **({"pageToken": token} if token else {})}
            page = self.get(path, kind, query)
            yield page
            token = getattr(page, "next_page_token", "")
            if not token:
                return
        raise Unavailable(f"{self._host}{path}: more than {MOST_PAGES} pages")

    def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
    ) -> tuple[bytes, Mapping[str, str]]:
        """Content and headers of a good answer."""
        try:
            with self._session.request(
                method,
                f"{self._base}{path}",
                params=query,
                json=body,
                headers={"Host": self._host, **headers},
                timeout=READ_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = _content(response)
        except (requests.RequestException, GoogleAuthError) as error:
            raise Unavailable(f"{self._host}{path}: {error}") from error
        if response.status_code != HTTPStatus.OK:
            raise _refused(response.status_code, content)
        return content, response.headers

    def _read(self, content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unavailable(f"{self._host}: an answer that cannot be read: {error}") from error


def _content(response: requests.Response) -> bytes:
    """The body, whole. Raises: Unavailable when it is too long, or too long in coming."""
    content = bytearray()
    give_up_at = time.monotonic() + READ_SECONDS
    for chunk in response.iter_content(_CHUNK_BYTES):
        content += chunk
        if len(content) > ANSWER_BYTES:
            raise Unavailable(f"{response.url}: more than {ANSWER_BYTES} bytes")
        if time.monotonic() > give_up_at:
            raise Unavailable(f"{response.url}: not read in {READ_SECONDS:.0f} s")
    return bytes(content)


def _refused(code: int, content: bytes) -> Exception:
    """What a refusal means; without Google's error form its code alone counts."""
    try:
        error = msgspec.json.decode(content, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _Error()
    status = error.status if error.status in _KNOWN else _BY_CODE.get(code, "UNKNOWN")
    delays = [_seconds(detail.retry_delay) for detail in error.details if detail.retry_delay]
    message = f"{status}: {error.message or f'HTTP {code}'}"
    return meant(status, message, delays[0] if delays else None, GET)


def _seconds(written: str) -> timedelta | None:
    """A duration as JSON writes it, `3.5s`; None when it is none."""
    try:
        return timedelta(seconds=float(written.removesuffix("s")))
    except (ValueError, OverflowError):
        return None
