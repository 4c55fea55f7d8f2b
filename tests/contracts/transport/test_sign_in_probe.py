"""A test account signs in, at an Identity Platform that answers whatever it likes."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from shared.adapters.prober import HttpProber
from shared.core.codec import from_json
from shared.core.errors import Rejected, RollbackError, Unavailable
from shared.domain.policy.probes import Probe, ProbeAccount
from tests.contracts.support.account_double import Toolkit, Vault
from tests.contracts.support.http_server import serving

TOKEN = "hush.of.google"
HELD = {"password": "hush-password\n", "api-key": "hush-key\n"}
SECRETS = ("hush",)
"""What no answer and no error may hold: each secret thing here begins so."""
PROBE = Probe(
    "sign-in",
    sign_in=ProbeAccount("probe@shop.example", password_secret="password", api_key_secret="api-key"),
    timeout=timedelta(seconds=5),
)


@pytest.fixture
def toolkit() -> Iterator[Toolkit]:
    server = Toolkit()
    with serving(server):
        yield server
        server.released.set()


def prober(toolkit: Toolkit, held: dict[str, str]) -> HttpProber:
    vault = Vault(held)
    return HttpProber(lambda _: f"127.0.0.1:{toolkit.server_port}", secrets=lambda: vault)


def said(word: str) -> bytes:
    return msgspec.json.encode({"error": {"code": 400, "message": word}})


def test_what_is_sent(toolkit: Toolkit) -> None:
    """One POST to Google, the key in a header and no part of an address, without a line's end."""
    toolkit.answer = (200, msgspec.json.encode({"idToken": TOKEN, "refreshToken": TOKEN}))

    answer = prober(toolkit, HELD).ask(PROBE)

    [(host, path, key, body)] = toolkit.seen
    assert (answer.passed, answer.status, answer.detail) == (True, 200, "")
    assert (host, path) == ("identitytoolkit.googleapis.com", "/v1/accounts:signInWithPassword")
    assert key == "hush-key"
    assert from_json(body) == {
        "email": "probe@shop.example",
        "password": "hush-password",
        "returnSecureToken": True,
    }


@pytest.mark.parametrize(
    ("status", "content", "detail"),
    [
        (400, said("INVALID_LOGIN_CREDENTIALS"), "INVALID_LOGIN_CREDENTIALS"),
        (400, said("PASSWORD_LOGIN_DISABLED : hush-password"), "PASSWORD_LOGIN_DISABLED"),
        (400, said("hush-password is none"), ""),
        (403, b"<html>hush-key</html>", ""),
        (429, said("QUOTA_EXCEEDED : Exceeded quota"), "QUOTA_EXCEEDED"),
        (503, b'{"error": "hush-key"}', ""),
    ],
)
def test_a_refusal(toolkit: Toolkit, status: int, content: bytes, detail: str) -> None:
    """A failure of what was asked, told by Google's word and by nothing else that it says."""
    toolkit.answer = (status, content)

    answer = prober(toolkit, HELD).ask(PROBE)

    assert (answer.passed, answer.status, answer.detail) == (False, status, detail)


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (400, said("TOO_MANY_ATTEMPTS_TRY_LATER : of hush"), Unavailable),
        (200, msgspec.json.encode({"mfaPendingCredential": TOKEN}), Rejected),
        (200, b'{"idToken": "hush', Rejected),
        (302, b"hush", Rejected),
    ],
    ids=["this account alone", "a second factor", "cut off", "a redirect"],
)
def test_an_answer_that_says_nothing_of_others(
    toolkit: Toolkit, status: int, content: bytes, error: type[RollbackError]
) -> None:
    """Neither well nor ill, and no redirect is followed."""
    toolkit.answer = (status, content)

    with pytest.raises(error) as caught:
        prober(toolkit, HELD).ask(PROBE)

    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert len(toolkit.seen) == 1


@pytest.mark.parametrize(
    ("held", "named"),
    [
        ({"api-key": "k"}, "password"),
        ({"password": "hush"}, "api-key"),
        ({"password": "hush", "api-key": "hush\nkey"}, "api-key holds no key"),
        ({"password": "hush", "api-key": "hush\xe9"}, "api-key holds no key"),
    ],
)
def test_a_secret_that_does_not_serve(toolkit: Toolkit, held: dict[str, str], named: str) -> None:
    """Not known, nobody is asked, and nothing of it is said."""
    with pytest.raises(Rejected, match=named) as caught:
        prober(toolkit, held).ask(PROBE)

    assert toolkit.seen == []
    assert "hush" not in str(caught.value)


def test_no_answer_in_time(toolkit: Toolkit) -> None:
    """A user would not be signed in either."""
    toolkit.late = True

    answer = prober(toolkit, HELD).ask(msgspec.structs.replace(PROBE, timeout=timedelta(seconds=0.2)))

    assert (answer.passed, answer.detail) == (False, "no answer in time")
