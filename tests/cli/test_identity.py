"""Signing in and proving who one is, as a person does it, against the embedded cloud."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result
from werkzeug import Request, Response
from werkzeug.serving import make_server

from cli.app import app
from cli.support.session import StoredSession, session_file, store_session, stored_session
from local.cloud import Cloud
from local.core.clock import CloudClock
from local.core.loopback import Loop
from local.services.identity import Account
from local.services.identity.users import totp_code
from shared.domain.commands.credential import command_fingerprint, decode_unverified_token
from shared.wiring.settings import EMULATOR_VARIABLES, LOCAL_CLOUD_VARIABLE
from tests.local.support.run import policy
from tests.support.runtime.world import POLICIES

SECRET = "JBSWY3DPEHPK3PXP"
ADA = "ada@example.com"
PAUSE = {"version": 1, "command": "pause", "reason": "Störung"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    """An embedded cloud that this process's environment is wired to, and Ada in it."""
    cloud = Cloud.start([policy()], seed=1, clock=CloudClock(), alerter=False, ticks=False)
    cloud.identity.put(Account(ADA, "pw", role="commander", totp_secret=SECRET))
    for name in ("K_SERVICE", *EMULATOR_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(LOCAL_CLOUD_VARIABLE, f"http://{cloud.addresses['control']}")
    monkeypatch.setenv("ROLLBACK_API_KEY", "any")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    yield cloud
    cloud.stop()


def run(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=answers)


def login(answers: str = "") -> Result:
    """Ada signs in, with her password and her code unless told otherwise."""
    return run("login", "--email", ADA, answers=answers or f"pw\n{totp_code(SECRET, time.time())}\n")


def test_signing_in_and_out(cloud: Cloud) -> None:
    """What stays is for its owner's eyes alone, and gone after the sign-out."""
    signed_in = login()

    assert signed_in.exit_code == 0, signed_in.output
    kept = stored_session()
    assert kept is not None
    assert kept.email == ADA
    assert kept.refresh_token not in signed_in.output
    assert session_file().stat().st_mode & 0o777 == 0o600
    assert session_file().parent.stat().st_mode & 0o777 == 0o700

    assert run("logout").exit_code == 0
    assert stored_session() is None
    assert run("logout").exit_code == 0


def test_an_app_is_enrolled_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its secret is shown and kept nowhere; from then on nobody signs in without it."""
    cloud.identity.put(Account(ADA, "pw", role="commander"))
    monkeypatch.setattr("local.services.identity.second_factor.create_totp_secret", lambda: SECRET)
    assert "rollback enrol" in login(answers="pw\n").output

    mistyped = run("enrol", "--email", ADA, answers="pw\n12345\n")
    enrolled = run("enrol", "--email", ADA, answers=f"pw\n{totp_code(SECRET, time.time())}\n")
    again = run("enrol", "--email", ADA, answers="pw\n")

    assert (mistyped.exit_code, enrolled.exit_code, again.exit_code) == (1, 0, 1)
    assert SECRET in enrolled.output
    assert "wrong code" in mistyped.output
    assert login().exit_code == 0
    _, claims = decode_unverified_token(run("token").stdout.strip())
    assert claims["firebase"]["sign_in_second_factor"] == "totp"


def test_a_token_says_who_signed_in_and_how(cloud: Cloud) -> None:
    """Standard output is the token and nothing else."""
    login()

    printed = run("token")

    assert printed.exit_code == 0
    _, claims = decode_unverified_token(printed.stdout.strip())
    assert claims["email"] == ADA
    assert claims["rollback_role"] == "commander"
    assert claims["firebase"]["sign_in_second_factor"] == "totp"


def test_a_fresh_token_is_no_younger_sign_in(cloud: Cloud) -> None:
    """Refreshing proves nothing anew: the ten minutes run from the second factor."""
    login()
    _, first = decode_unverified_token(run("token").stdout.strip())
    cloud.clock.advance(timedelta(minutes=11))

    _, later = decode_unverified_token(run("token").stdout.strip())

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
        assert decode_unverified_token(content.pop("token"))
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
        assert printed.stdout.strip() == command_fingerprint(PAUSE)


@pytest.mark.parametrize("verb", ["sign", "fingerprint"])
@pytest.mark.parametrize("text", ["", "{", "[]", "pause", '{"a": NaN}'])
def test_what_is_no_command(cloud: Cloud, verb: str, text: str) -> None:
    """Exit code 2, and why."""
    result = run(verb, text)

    assert result.exit_code == 2
    assert "not a command" in result.output


def test_for_programs(cloud: Cloud, tmp_path: Path) -> None:
    """With `--json` standard output is one document, whatever is asked for beside it."""
    typed = f"{ADA}\npw\n{totp_code(SECRET, time.time())}\n"
    assert said("login", answers=typed) == {"signed_in": ADA, "role": "commander", "second_factor": True}
    token = said("token")["token"]
    assert decode_unverified_token(token)
    assert said("sign", json.dumps(PAUSE))["command"] == "pause"
    assert said("fingerprint", json.dumps(PAUSE)) == {"fingerprint": command_fingerprint(PAUSE)}
    assert said("logout") == {"signed_in": None}

    cloud.identity.put(Account(ADA, "pw", role="admin"))
    assert said("login", answers=f"{ADA}\npw\n") == {
        "signed_in": ADA,
        "role": "admin",
        "second_factor": False,
    }


def said(*words: str, answers: str = "") -> Any:
    """What a verb prints for programs."""
    done = run(*words, "--json", answers=answers)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout[done.stdout.index("{") :])  # behind a terminal's echo, played


def test_no_secret_of_a_sign_in_is_shown(cloud: Cloud) -> None:
    """Neither password nor token; the ID token by the verbs that are asked for it alone."""
    shown = {
        "wrong": login("pw-of-ada\n").output,
        "signed in": login().output,
        "wrong code": login("pw\n000000\n").output,
        "fingerprint": run("fingerprint", json.dumps({**PAUSE, "token": "a.b.c"})).output,
        "no command": run("sign", '{"token": "a.b.c"').output,
        "logout": run("logout", "--json").output,
        "nobody": run("token").output,
    }

    for where, text in shown.items():
        assert [one for one in ("pw", SECRET, "a.b.c") if one in text] == [], where


@pytest.mark.parametrize("status", [400, 500])
def test_a_service_that_repeats_what_it_was_sent(
    status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever an answer quotes, no word of it is shown."""

    @Request.application
    def answer(request: Request) -> Response:
        quoted = request.get_data(as_text=True)
        return Response(json.dumps({"error": {"message": quoted}}), status=status)

    server = make_server("127.0.0.1", 0, answer)
    loop = Loop(server, "identity")
    monkeypatch.setenv(LOCAL_CLOUD_VARIABLE, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("ROLLBACK_API_KEY", "any")
    store_session(StoredSession(ADA, "any", "a-refresh-token"))
    try:
        shown = [login("open-sesame\n").output, run("token").output, run("pause").output]
    finally:
        loop.close()

    for secret in ("open-sesame", "a-refresh-token"):
        assert [text for text in shown if secret in text] == []


def test_a_wrong_password_or_code(cloud: Cloud) -> None:
    """Said in words, exit code 1, and nobody is signed in."""
    for result, why in (
        (login("guess\n"), "wrong address or password"),
        (login("pw\nno code\n"), "wrong code"),
    ):
        assert result.exit_code == 1
        assert why in result.output
    assert stored_session() is None


@pytest.mark.parametrize(
    ("account", "lacks"),
    [
        (Account(ADA, "pw", role="admin"), "without a second factor"),
        (Account(ADA, "pw", totp_secret=SECRET), "without a role"),
        (Account(ADA, "pw", role="boss", totp_secret=SECRET), "without a role"),
        (Account(ADA, "pw", role="viewer", totp_secret=SECRET), ""),
    ],
)
def test_a_sign_in_that_is_of_no_use(account: Account, lacks: str, cloud: Cloud) -> None:
    """Told at once what every command would be refused for, by what the token itself says."""
    cloud.identity.put(account)

    result = login()

    assert result.exit_code == 0
    assert lacks in result.output
    assert ("commands are refused" in result.output) is bool(lacks)


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


def test_the_api_key_is_that_of_the_policies_of_this_shell(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """ROLLBACK_POLICIES names their folder to every verb, to those of signing in as well."""
    monkeypatch.delenv("ROLLBACK_API_KEY")
    monkeypatch.setenv("ROLLBACK_POLICIES", str(tmp_path))
    example = (POLICIES / "example.yaml").read_text()
    stated = example.replace("\nidentity:\n", "\nidentity:\n  api_key: any\n")
    (tmp_path / "example.yaml").write_text(stated)

    assert login().exit_code == 0
    assert run("parse", "-").exit_code == 0


def test_nobody_answers(cloud: Cloud) -> None:
    """No answer is no verdict: exit code 3, nothing is kept, nothing is forgotten."""
    login()
    cloud.stop()

    unheard = login()
    assert unheard.exit_code == 3
    assert "sign-in is down: rollback --without-sign-in COMMAND" in unheard.output
    assert run("token").exit_code == 3
    assert stored_session() is not None
