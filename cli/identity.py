"""`rollback login`, `logout`, `token`, `sign` and `fingerprint`: a person's proof of identity."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from cli import session as sessions
from cli.wired import NO, NO_ANSWER, UNUSABLE, leaving
from shared import policy_file
from shared.credential import LONGEST_TOKEN, TOKEN, fingerprint, hashed
from shared.errors import BadConfiguration, Refused, Rejected, Unavailable
from shared.json_object import read_object
from shared.settings import LOCAL_CLOUD, Settings
from shared.sign_in import Challenge, Session, SignIn
from shared.wiring import played_at

STANDARD_INPUT = "-"
LIMIT_BYTES = 64 * 1024
ANY_PROJECT = {"GOOGLE_CLOUD_PROJECT": "any-project"}

ApiKey = Annotated[
    str,
    typer.Option(
        metavar="KEY",
        envvar="ROLLBACK_API_KEY",
        help="web API key of the project to sign in to; default: the policies' identity.api_key",
    ),
]
Policies = Annotated[Path, typer.Option(metavar="DIR", help="the folder of the policy files")]
CommandText = Annotated[
    str, typer.Argument(metavar="COMMAND", help="the command as JSON; - is standard input")
]


def login(
    email: Annotated[str, typer.Option(metavar="ADDRESS", prompt="E-mail", help="who signs in")],
    api_key: ApiKey = "",
    policies: Policies = Path("policies"),
) -> None:
    """Sign in with password and authenticator app; the next ten minutes of commands are yours.

    What stays is a refresh token, readable by you alone, in the folder that `logout` empties.

    Exit code 0 when signed in; 1 when the answer is no; 2 without an API key; 3 without an answer.
    """
    key = api_key or _api_key(policies)
    sign_in = SignIn(key, _played())
    password = typer.prompt("Password", hide_input=True, err=True)
    try:
        begun = sign_in.begin(email, password)
        if isinstance(begun, Challenge):
            code = typer.prompt("Code of the authenticator app", err=True)
            begun = sign_in.finish(begun, code)
        else:
            typer.echo("Signed in without a second factor: no command takes that.", err=True)
    except (Rejected, Unavailable) as error:
        raise _unanswered(error) from None
    sessions.keep(sessions.Kept(email, key, begun.refresh_token))
    typer.echo(f"Signed in as {email}.", err=True)


def logout() -> None:
    """Forget the sign-in on this machine. Tokens that were printed live on for up to an hour."""
    sessions.forget()


def token() -> None:
    """Print a fresh ID token. It is a secret: it says any one command that you may say.

    Exit code 0 when printed; 1 when nobody is signed in, or the answer is no; 3 without an answer.
    """
    print(fresh_token())


def sign(
    command: CommandText,
    with_file: Annotated[
        Path | None,
        typer.Option(
            "--with", metavar="FILE", help="take the token from FILE, such as a service account's"
        ),
    ] = None,
) -> None:
    """Print the command with a fresh token in it, ready to be published on rollback-commands.

    Exit code 0 when printed; 1 and 3 as for `token`; 2 when the command is no JSON object, or the
    file cannot be read.
    """
    content = _content(command)
    proof = _token_in(with_file) if with_file else fresh_token()
    print(json.dumps({**content, TOKEN: proof}, ensure_ascii=False))


def fingerprint_of(command: CommandText) -> None:
    """Print the hash of a command: the audience that a service account's token for it must have.

    Exit code 0 when printed; 2 when the command is no JSON object.
    """
    print(fingerprint(_content(command)))


def signed_in() -> sessions.Kept:
    """The sign-in of this machine's user; exits when there is none."""
    kept = sessions.kept()
    if kept is None:
        raise leaving(NO, "nobody is signed in: rollback login")
    return kept


def fresh_token() -> str:
    """A token that was not printed before: those of one second are the same, and one is used up."""
    kept = signed_in()
    session = _refreshed(kept)
    if hashed(session.id_token) == kept.printed:
        time.sleep(1.0)
        session = _refreshed(kept)
    printed = hashed(session.id_token)
    sessions.keep(replace(kept, refresh_token=session.refresh_token, printed=printed))
    return session.id_token


def _refreshed(kept: sessions.Kept) -> Session:
    try:
        return SignIn(kept.api_key, _played()).refresh(kept.refresh_token)
    except (Rejected, Unavailable) as error:
        raise _unanswered(error) from None


def _token_in(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise leaving(UNUSABLE, f"{file}: {type(error).__name__}") from None


def _content(command: str) -> dict[str, Any]:
    text = sys.stdin.read(LIMIT_BYTES + 1) if command == STANDARD_INPUT else command
    try:
        return read_object(text.encode(), LIMIT_BYTES + LONGEST_TOKEN)
    except Refused as refused:
        raise leaving(UNUSABLE, f"not a command: {refused.reason}") from None


def _api_key(folder: Path) -> str:
    """The one web API key that the policies state."""
    try:
        known = policy_file.load_all(folder)
    except BadConfiguration as error:
        raise leaving(UNUSABLE, str(error)) from None
    keys = {policy.identity.api_key for policy in known.values()} - {""}
    if len(keys) != 1:
        why = "the policies state several" if keys else "no policy states one"
        raise leaving(
            UNUSABLE,
            f"which API key? {why} (identity.api_key): say --api-key or ROLLBACK_API_KEY",
        )
    return keys.pop()


def _played() -> str | None:
    """Where an embedded cloud answers in Google's place; signing in needs no other setting."""
    if LOCAL_CLOUD not in os.environ:
        return None
    try:
        return played_at(Settings.from_mapping({**ANY_PROJECT, **os.environ}))
    except BadConfiguration as error:
        raise leaving(UNUSABLE, str(error)) from None


def _unanswered(error: Rejected | Unavailable) -> typer.Exit:
    """What ends a verb that was told no, or nothing."""
    return leaving(NO_ANSWER if isinstance(error, Unavailable) else NO, str(error))
