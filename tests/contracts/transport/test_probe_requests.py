"""A probe requests what its policy declares, and the answer must be the one that it expects."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from shared.adapters import prober as probers
from shared.adapters.prober import HttpProber
from shared.core.errors import Rejected
from shared.domain.policy.probes import ExpectedAnswer, Probe, ProbeAccount, ProbeMethod
from tests.contracts.support.account_double import Vault
from tests.contracts.support.http_server import Quiet, serving

PASSWORD, KEY, TOKEN = "hush-password", "hush-key", "hush.of.google"
ACCOUNT = ProbeAccount("probe@shop.example", password_secret="password", api_key_secret="api-key")
CALL = Probe(
    "call",
    "https://shop.example/payOrder",
    method=ProbeMethod.POST,
    body={"data": {"order": "test"}},
    headers={"X-Test-Mode": "on"},
    expect=ExpectedAnswer(status=200, json={"result.orders.0.paid": True, "result.id": None}, text="paid"),
    timeout=timedelta(seconds=5),
)
PAID = {"result": {"id": "o1", "orders": [{"paid": True}]}}


class Server(ThreadingHTTPServer):
    """Signs in, or answers as it is told, and remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.answer = 200, json.dumps(PAID).encode()
        self.sign_in: tuple[int, Any] = (200, {"idToken": TOKEN})
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def calls(self) -> list[tuple[str, str, dict[str, str], bytes]]:
        """Requests other than sign-ins."""
        return [one for one in self.seen if "signInWithPassword" not in one[1]]


class Handler(Quiet, BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, headers, body))
        status, answer = self.server.status, self.server.answer
        if "signInWithPassword" in self.path:
            status, answer = self.server.sign_in[0], json.dumps(self.server.sign_in[1]).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 - the base's name


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with serving(server):
        yield server


def prober_of(server: Server) -> HttpProber:
    vault = Vault({"password": PASSWORD, "api-key": KEY})
    return HttpProber(lambda _: f"127.0.0.1:{server.server_port}", secrets=lambda: vault)


def test_a_callable_is_called(server: Server) -> None:
    """Method, body and headers as declared; no token where no account is declared."""
    answer = prober_of(server).ask(CALL)

    [(method, path, headers, body)] = server.seen
    assert answer.passed, answer.detail
    assert (method, path, json.loads(body)) == ("POST", "/payOrder", {"data": {"order": "test"}})
    assert (headers["content-type"], headers["x-test-mode"]) == ("application/json", "on")
    assert "authorization" not in headers


def test_a_text_is_sent_as_it_is(server: Server) -> None:
    """With the content type that the policy declares, whatever its case."""
    form = replace(CALL, body="a=1", headers={"content-type": "application/x-www-form-urlencoded"})

    prober_of(server).ask(form)

    [(_, _, headers, body)] = server.seen
    assert (body, headers["content-type"]) == (b"a=1", "application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("status", "answer", "detail"),
    [
        (201, PAID, "expected status 200"),
        (500, {"error": {"status": "INTERNAL"}}, "expected status 200"),
        (200, {"result": {"id": "o1", "orders": []}}, "the expected text is missing"),
        (200, {"result": {"id": "o1", "orders": [{"paid": False}]}}, "not as expected: result.orders.0.paid"),
        (200, {"result": {"id": None, "orders": [{"paid": True}]}}, "not as expected: result.id"),
        (200, {"result": "paid"}, "not as expected: result.orders.0.paid, result.id"),
        (200, ["paid"], "not as expected: result.orders.0.paid, result.id"),
        (200, b"<html>paid hush</html>", "the answer is not JSON"),
        (200, b"\xff paid", "the answer is not JSON"),
        (200, b'"paid"' + b"[" * 200_000, "the answer is not JSON"),
        (200, b'{"a":' * 100_000 + b'"paid"', "the answer is not JSON"),
    ],
)
def test_an_answer_that_is_not_the_expected_one(
    server: Server, status: int, answer: Any, detail: str
) -> None:
    """It fails by what is wrong, and quotes nothing of the answer."""
    server.status = status
    server.answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    found = prober_of(server).ask(CALL)

    assert (found.passed, found.status, found.detail) == (False, status, detail)


@pytest.mark.parametrize(("status", "passed"), [(499, True), (500, False)])
def test_without_an_expected_status(server: Server, status: int, passed: bool) -> None:
    """Any status below the probe's bound is healthy, as before."""
    server.status = status

    assert prober_of(server).ask(Probe("plain", "https://shop.example/")).passed is passed


def test_a_test_account_sends_the_request(server: Server) -> None:
    """Its ID token is the bearer token; password, key and token are in no answer."""
    prober = prober_of(server)

    answers = [prober.ask(replace(CALL, sign_in=ACCOUNT)) for _ in range(2)]

    assert [one.passed for one in answers] == [True, True]
    assert [one[2]["authorization"] for one in server.calls] == [f"Bearer {TOKEN}"] * 2
    assert len(server.seen) == 3, "one sign-in serves both requests"
    assert all("x-goog-api-key" not in one[2] for one in server.calls)
    assert "hush" not in str(answers)


def test_a_request_that_fails_signs_in_anew(server: Server) -> None:
    """The failure may be the token's: the next request does not repeat it."""
    prober, call = prober_of(server), replace(CALL, sign_in=ACCOUNT)
    server.status = 401
    refused = prober.ask(call)
    server.status = 200

    assert (refused.passed, refused.outcome) == (False, "401, expected status 200")
    assert prober.ask(call).passed
    assert len(server.seen) - len(server.calls) == 2


def test_a_token_serves_for_five_minutes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each use of it leaves its end as it is; it would be refused an hour after the sign-in."""
    clock = SimpleNamespace(now=0.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(probers, "time", clock)
    prober, signed_in = prober_of(server), []
    for clock.now in (0.0, 200.0, 299.0, 301.0):
        assert prober.ask(replace(CALL, sign_in=ACCOUNT)).passed
        signed_in.append(len(server.seen) - len(server.calls))

    assert signed_in == [1, 1, 1, 2]


def test_a_sign_in_alone_is_tried_each_time(server: Server) -> None:
    """It is what the probe is about."""
    prober = prober_of(server)

    assert [prober.ask(Probe("signing-in", sign_in=ACCOUNT)).passed for _ in range(2)] == [True, True]
    assert len(server.seen) == 2


def test_an_account_that_is_refused(server: Server) -> None:
    """Nobody sends the request: the sign-in has failed, and its word says so."""
    server.sign_in = (400, {"error": {"message": f"INVALID_LOGIN_CREDENTIALS : {PASSWORD}"}})

    answer = prober_of(server).ask(replace(CALL, sign_in=ACCOUNT))

    assert (answer.passed, answer.outcome) == (False, "400, INVALID_LOGIN_CREDENTIALS")
    assert server.calls == []


@pytest.mark.parametrize("token", ["hush\r\nX-Evil: 1", "hush\u2028"])
def test_a_token_that_is_no_header(server: Server, token: str) -> None:
    """It adds no header of its own, and is in no answer."""
    server.sign_in = (200, {"idToken": token})

    answer = prober_of(server).ask(replace(CALL, sign_in=ACCOUNT))

    assert "hush" not in answer.outcome
    assert all("x-evil" not in headers for _, _, headers, _ in server.calls)


def test_an_account_whose_secret_cannot_be_read(server: Server) -> None:
    """Not known: nobody is asked."""
    prober = HttpProber(lambda _: f"127.0.0.1:{server.server_port}", secrets=lambda: Vault({}))

    with pytest.raises(Rejected, match="the secret password is gone"):
        prober.ask(replace(CALL, sign_in=ACCOUNT))

    assert server.seen == []
