"""Google's REST APIs that have no Python client: JSON over an authorised session."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar, cast

import msgspec
import requests
from google.auth.exceptions import GoogleAuthError
from msgspec import Struct

from shared.adapters.gcp.errors import (
    EFFECT_ERRORS,
    READ_ERRORS,
    READ_TIMEOUT_SECONDS,
    StatusErrors,
    error_for_status,
)
from shared.core.codec import FrozenStruct, JsonObject, from_json
from shared.core.errors import RollbackError, Unavailable

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Several times the largest answer that is read: a Remote Config template may have 1,000,000
characters, a page of anything here 1,000 entries."""
MAX_PAGES = 50
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
_KNOWN = {*_BY_CODE.values(), *READ_ERRORS, "ALREADY_EXISTS", "OUT_OF_RANGE"}


EFFECT_TIMEOUT_SECONDS = 10.0
"""Until then an effect's answer has come, or nothing is known of it."""
_CONNECT_AND_READ_TIMEOUT = (3.0, EFFECT_TIMEOUT_SECONDS - 3.0)
"""To connect, and to wait for the first byte."""


class Answer(FrozenStruct, rename="camel"):
    """A part of an answer in JSON, which names its fields in lowerCamelCase."""


class _Detail(Answer):
    retry_delay: str = ""


class _Error(Answer):
    message: str = ""
    status: str = ""
    details: list[_Detail] = []


class _Refusal(Answer):
    error: _Error = _Error()


@dataclass
class Rest:
    """One product's API. Answers are bounded in size and time, redirects are not followed.

    `base` is `https://HOST`, or the address of an embedded cloud that plays the host. `once` is a
    session that sends nothing a second time, not even with a fresh token.
    """

    _session: requests.Session
    _once: requests.Session
    _base: str
    _host: str

    def get(
        self,
        path: str,
        kind: type[T],
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """The answer to a GET. Raises: Gone, Rejected, Unavailable, Throttled."""
        return self._read(self._send_request("GET", path, query, headers or {})[0], kind)

    def get_with_etag(self, path: str, kind: type[T]) -> tuple[T, str]:
        """The answer to a GET, and its etag."""
        content, answered = self._send_request("GET", path, None, {})
        return self._read(content, kind), answered.get("ETag", "")

    def post(self, path: str, body: Mapping[str, Any], kind: type[T]) -> T:
        """The answer to a POST that changes nothing."""
        return self._read(self._send_request("POST", path, None, {}, body)[0], kind)

    def send_change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        meanings: StatusErrors = EFFECT_ERRORS,
    ) -> JsonObject:
        """Return the answer to a call that changes something, sent once.

        It is here within `EFFECT_TIMEOUT_SECONDS`.
        Raises: Ambiguous when it may have taken effect; else what `meanings` says.
        """
        content, _ = self._send_request(method, path, query, headers or {}, body, meanings)
        return self._read(content, JsonObject, meanings)

    def items(self, path: str, field: str, kind: type[T], page_size: int) -> Iterator[T]:
        """Yield `field` of all pages. Raises: Unavailable, also when a part was not read."""
        page_type, token = _page_type(field, cast("Any", kind)), ""
        for _ in range(MAX_PAGES):
            query = {"pageSize": str(page_size), **({"pageToken": token} if token else {})}
            page: Any = self.get(path, page_type, query)
            if page.unreachable:
                raise Unavailable(f"{self._host}: no answer of {', '.join(page.unreachable)}")
            yield from page.items
            token = page.next_page_token
            if not token:
                return
        raise Unavailable(f"{self._host}{path}: more than {MAX_PAGES} pages")

    def _send_request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        meanings: StatusErrors = READ_ERRORS,
    ) -> tuple[bytes, Mapping[str, str]]:
        reads = meanings is READ_ERRORS
        session = self._session if reads else self._once
        began = time.monotonic()
        try:
            with session.request(
                method,
                f"{self._base}{path}",
                params=query,
                json=body,
                headers={"Host": self._host, **headers},
                timeout=READ_TIMEOUT_SECONDS if reads else _CONNECT_AND_READ_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = _content(response, meanings, time.monotonic() if reads else began)
        except (requests.RequestException, GoogleAuthError) as error:
            raise _no_answer_error(meanings, f"{self._host}{path}: {error}") from error
        if response.status_code != HTTPStatus.OK:
            raise _refusal_error(response.status_code, content, meanings)
        return content, response.headers

    def _read(self, content: bytes, kind: type[T], meanings: StatusErrors = READ_ERRORS) -> T:
        try:
            return from_json(content, kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            said = f"{self._host}: an answer that cannot be read: {error}"
            raise _no_answer_error(meanings, said) from error


@cache
def _page_type(field: str, kind: Any) -> type[Struct]:
    fields = [("items", list[kind], []), ("next_page_token", str, ""), ("unreachable", list[str], [])]
    names = {"items": field, "next_page_token": "nextPageToken"}
    return msgspec.defstruct("_Page", fields, rename=names, frozen=True)


def _no_answer_error(meanings: StatusErrors, said: str) -> RollbackError:
    return error_for_status("UNKNOWN", said, None, meanings)


def _content(response: requests.Response, meanings: StatusErrors, since: float) -> bytes:
    """Return the whole body. Raises: as no answer, for one too long, or too late by `since`."""
    content = bytearray()
    give_up_at = since + (READ_TIMEOUT_SECONDS if meanings is READ_ERRORS else EFFECT_TIMEOUT_SECONDS)
    for chunk in response.iter_content(_CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise _no_answer_error(meanings, f"{response.url}: more than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > give_up_at:
            raise _no_answer_error(meanings, f"{response.url}: not read in {give_up_at - since:.0f} s")
    return bytes(content)


def _refusal_error(code: int, content: bytes, meanings: StatusErrors) -> RollbackError:
    """What a refusal means; without Google's error form its code alone counts."""
    try:
        error = from_json(content, _Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _Error()
    status = error.status if error.status in _KNOWN else _BY_CODE.get(code, "UNKNOWN")
    delays = [_parse_duration(detail.retry_delay) for detail in error.details if detail.retry_delay]
    message = f"{status}: {error.message or f'HTTP {code}'}"
    return error_for_status(status, message, delays[0] if delays else None, meanings)


def _parse_duration(written: str) -> timedelta | None:
    """A duration as JSON writes it, `3.5s`; None when it is none."""
    try:
        return timedelta(seconds=float(written.removesuffix("s")))
    except (ValueError, OverflowError):
        return None
