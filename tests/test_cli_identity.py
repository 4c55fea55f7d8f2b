"""Signing in and proving who one is, as a person does it, against the embedded cloud."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import session
from cli.app import app
from local.clock import CloudClock
from local.cloud import Cloud
from local.identity import Account
from local.identity.users import code
from shared.credential import fingerprint, unverified
from shared.settings import EMULATORS, LOCAL_CLOUD
from tests.local.run_world import policy

SECRET = "JBSWY3DPEHPK3PXP"
ADA = "ada@example.com"
PAUSE = {"version": 1, "command": "pause", "reason": "Störung"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    """An embedded cloud that this process's environment is wired to, and Ada in it."""
    cloud = Cloud.start([policy()], seed=1, clock=CloudClock(), alerter=False, ticks=False)
    cloud.identity.put(Account(ADA, "pw", role="commander", totp_secret=SECRET))
    for name in ("K_SERVICE", *EMULATORS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(LOCAL_CLOUD, f"http://{cloud.addresses['control']}")
    monkeypatch.setenv("ROLLBACK_API_KEY", "any")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    yield cloud
    cloud.stop()


def run(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=answers)


def login(answers: str = "") -> Result:
    """Ada signs in, with her password and her code unless told otherwise."""
    return run("login", "--email", ADA, answers=answers or f"pw\n{code(SECRET, time.time())}\n")


def test_signing_in_and_out(cloud: Cloud) -> None:
    """What stays is for its owner's eyes alone, and gone after the sign-out."""
    signed_in = login()

    assert signed_in.exit_code == 0, signed_in.output
    kept = session.kept()
    assert kept is not None
    assert kept.email == ADA
    assert kept.refresh_token not in signed_in.output
    assert session.file().stat().st_mode & 0o777 == 0o600
    assert session.file().parent.stat().st_mode & 0o777 == 0o700

    assert run("logout").exit_code == 0
    assert session.kept() is None
    assert run("logout").exit_code == 0


def test_a_token_says_who_signed_in_and_how(cloud: Cloud) -> None:
    """Standard output is the token and nothing else."""
    login()

    printed = run("token")

    assert printed.exit_code == 0
    _, claims = unverified(printed.stdout.strip())
    assert claims["email"] == ADA
    assert claims["rollback_role"] == "commander"
    assert claims["firebase"]["sign_in_second_factor"] == "totp"


def test_a_fresh_token_is_no_younger_sign_in(cloud: Cloud) -> None:
    """Refreshing proves nothing anew: the ten minutes run from the second factor."""
    login()
    _, first = unverified(run("token").stdout.strip())
    cloud.clock.advance(timedelta(minutes=11))

    _, later = unverified(run("token").stdout.strip())

    assert later["auth_time"] == first["auth_time"]
    assert later["exp"] > first["exp"]


def test_no_token_is_printed_twice(cloud: Cloud) -> None:
    """Two of one second would be the same, and the second command refused."""
    login()

    assert run("token").stdout != run("token").stdout


def test_a_signed_command_is_the_command_with_a_token(cloud: Cloud) -> None:
    """Ready to be published; from an argument as from standard input."""
    login()
    text = json.dumps(PAUSE)

    for signed in (run("sign", text), run("sign", "-", answers=text)):
        content = json.loads(signed.stdout)
        assert unverified(content.pop("token"))
        assert content == PAUSE


def test_a_command_with_a_service_account_s_token(cloud: Cloud, tmp_path: Path) -> None:
    """Nobody has to be signed in for it."""
    file = tmp_path / "token.txt"
    file.write_text("a.b.c\n")

    signed = run("sign", "--with", str(file), json.dumps(PAUSE))

    assert json.loads(signed.stdout) == {**PAUSE, "token": "a.b.c"}
    assert run("sign", "--with", str(tmp_path / "none"), json.dumps(PAUSE)).exit_code == 2


def test_the_hash_of_a_command() -> None:
    """As the responders compute it, whether or not a token is in it already."""
    for content in (PAUSE, {**PAUSE, "token": "x"}):
        printed = run("fingerprint", json.dumps(content))
        assert printed.stdout.strip() == fingerprint(PAUSE)


@pytest.mark.parametrize("verb", ["sign", "fingerprint"])
@pytest.mark.parametrize("text", ["", "{", "[]", "pause", '{"a": NaN}'])
def test_what_is_no_command(cloud: Cloud, verb: str, text: str) -> None:
    """Exit code 2, and why."""
    result = run(verb, text)

    assert result.exit_code == 2
    assert "not a command" in result.output


def test_a_wrong_password_or_code(cloud: Cloud) -> None:
    """Said in words, exit code 1, and nobody is signed in."""
    for result, why in (
        (login("guess\n"), "wrong address or password"),
        (login("pw\nno code\n"), "wrong code"),
    ):
        assert result.exit_code == 1
        assert why in result.output
    assert session.kept() is None


def test_an_account_without_a_second_factor(cloud: Cloud) -> None:
    """Signed in, and told that it is of no use."""
    cloud.identity.put(Account(ADA, "pw", role="admin"))

    result = login()

    assert result.exit_code == 0
    assert "without a second factor" in result.output


def test_nobody_is_signed_in(cloud: Cloud) -> None:
    """Told what to do, exit code 1."""
    for result in (run("token"), run("sign", json.dumps(PAUSE))):
        assert result.exit_code == 1
        assert "rollback login" in result.output


@pytest.mark.parametrize(
    ("change", "why"), [("revoke", "sign in again"), ("disabled", "the account is disabled")]
)
def test_a_sign_in_that_was_taken_back(cloud: Cloud, change: str, why: str) -> None:
    """The refresh token is worth nothing any more."""
    login()
    account = Account(ADA, "pw", role="commander", totp_secret=SECRET)
    setattr(account, change, True)
    cloud.identity._wall = lambda: time.time() + 2  # two seconds later
    cloud.clock.advance(timedelta(seconds=2))
    cloud.identity.put(account)

    result = run("token")

    assert result.exit_code == 1
    assert why in result.output


def test_no_api_key(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The policies state none, and nobody says one."""
    monkeypatch.delenv("ROLLBACK_API_KEY")

    result = login()

    assert result.exit_code == 2
    assert "--api-key" in result.output


def test_nobody_answers(cloud: Cloud) -> None:
    """No answer is no verdict: exit code 3, nothing is kept, nothing is forgotten."""
    login()
    cloud.stop()

    assert login().exit_code == 3
    assert run("token").exit_code == 3
    assert session.kept() is not None
