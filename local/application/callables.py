"""How the handlers behind declared probes answer: a callable as firebase-functions makes it.

https://firebase.google.com/docs/functions/callable-reference (read 2026-11): a POST of JSON with
`data`; 200 with `result`, or another status with `error`. Anything else never reaches the handler.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from shared.core.codec import from_json
from shared.domain.policy.probes import ExpectedAnswer, Probe, ProbeMethod
from shared.domain.policy.system_policy import Policy

BAD_REQUEST = (400, {"error": {"message": "Bad Request", "status": "INVALID_ARGUMENT"}})
UNAUTHENTICATED = (401, {"error": {"message": "Unauthenticated", "status": "UNAUTHENTICATED"}})
INTERNAL = (500, {"error": {"message": "INTERNAL", "status": "INTERNAL"}})


class WebRequest(Struct, frozen=True):
    """What a client sends, beside the address."""

    method: str = "GET"
    path: str = "/"
    body: bytes = b""
    email: str = ""
    """Whose valid ID token it bears; empty: it bears none."""


class HandlerAnswer(Struct, frozen=True):
    """Status and JSON of an answer."""

    status: int
    content: Any


class Handlers:
    """The handlers of a policy's functions that its probes declare."""

    def __init__(self, policy: Policy) -> None:
        self._probes: dict[str | None, list[Probe]] = {}
        for probe in policy.probes:
            if probe.method is ProbeMethod.POST or probe.expect != ExpectedAnswer():
                self._probes.setdefault(probe.function, []).append(probe)

    def answer(self, function: str, request: WebRequest, *, is_failing: bool) -> HandlerAnswer | None:
        """The answer of a function whose handler fails or works; None: no probe declares it."""
        probes = self._probes.get(function, ())
        is_callable = any(_is_call(probe.body) for probe in probes)
        body = _read_body(request.body)
        if is_callable and not (request.method == "POST" and _is_call(body)):
            return HandlerAnswer(*BAD_REQUEST)
        declared = next(_matching(probes, request, body), None)
        if declared is None and not is_callable:
            return None
        if is_failing:
            return HandlerAnswer(*INTERNAL)
        if declared is None:
            return HandlerAnswer(200, {"result": {}})
        if declared.sign_in is not None and declared.sign_in.email != request.email:
            return HandlerAnswer(*UNAUTHENTICATED)
        return HandlerAnswer(declared.expect.status or 200, _expected_content(declared.expect))


def _matching(probes: Iterable[Probe], request: WebRequest, body: Any) -> Iterator[Probe]:
    for probe in probes:
        path = urlsplit(probe.url).path or "/"
        if (probe.method, path, probe.body) == (request.method, request.path, body):
            yield probe


def _is_call(body: Any) -> bool:
    return isinstance(body, dict) and "data" in body


def _read_body(body: bytes) -> Any:
    try:
        return from_json(body) if body else None
    except msgspec.DecodeError:
        return body.decode(errors="replace")


def _expected_content(expect: ExpectedAnswer) -> Any:
    """JSON with the expected values at their paths, and the expected text."""
    content: dict[str, Any] = {"message": expect.text} if expect.text else {}
    for path, value in expect.json.items():
        *outer, last = path.split(".")
        place = content
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = {} if value is None else value
    return _with_lists(content)


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(one) for key, one in value.items()}
    if inner and all(key.isdecimal() for key in inner):
        return [inner.get(str(place), {}) for place in range(1 + max(map(int, inner)))]
    return inner
