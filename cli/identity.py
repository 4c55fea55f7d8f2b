"""`rollback enrol`, `login`, `logout`, `token`, `sign`, `fingerprint`: a proof of identity."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.support.exit_codes import INVALID_USAGE, REFUSED, create_exit, exit_on
from cli.support.output import AlreadyJson, AsJson, print_json
from cli.support.parameters import argument, option
from cli.support.session import (
    StoredSession,
    embedded_cloud,
    fresh_token,
    session_file,
    sign_in_answered,
    store_session,
)
from shared.adapters.sign_in import Challenge, SignIn
from shared.core.codec import JsonObject, read_object
from shared.core.errors import BadConfiguration, Refused
from shared.domain.commands import credential
from shared.policy_files import loader

MAX_INPUT_BYTES = 64 * 1024
STANDARD_INPUT = "-"
PASSWORD, CODE = "Password", "Code of the authenticator app"

ApiKey = Annotated[
    str,
    typer.Option(
        metavar="KEY",
        envvar="ROLLBACK_API_KEY",
        help="web API key of the project to sign in to; default: the policies' identity.api_key",
    ),
]
Email = Annotated[str, option("ADDRESS", "the account to sign in; default: a prompt")]
PolicyFolder = Annotated[
    Path, typer.Option(metavar="DIR", envvar="ROLLBACK_POLICIES", help="the folder of the policy files")
]
CommandText = Annotated[str, argument("COMMAND", "the command as JSON; - is standard input")]


def enrol(
    email: Email = "",
    api_key: ApiKey = "",
    policies: PolicyFolder = Path("policies"),
    as_json: AsJson = False,
) -> None:
    """Make an authenticator app your second factor, once; then log in.

    Prints the secret for the app on standard error, and stores it nowhere.

    Exit code 0 when enrolled; 1 when refused; 2 without an API key; 3 without an answer.
    """
    sign_in = SignIn(api_key or _api_key(policies), embedded_cloud())
    email = email or str(typer.prompt("E-mail", err=True))
    password = typer.prompt(PASSWORD, hide_input=True, err=True)
    with sign_in_answered():
        begun = sign_in.begin(email, password)
        if isinstance(begun, Challenge):
            raise create_exit(REFUSED, "an authenticator app is enrolled: rollback login")
        enrolment = sign_in.enrol(begun)
        typer.echo(f"Secret for the app (by time, six digits): {enrolment.secret}", err=True)
        sign_in.confirm_enrolment(enrolment, typer.prompt(CODE, err=True))
    typer.echo(f"Enrolled as {email}. Now: rollback login", err=True)
    if as_json:
        print_json({"enrolled": email})


def login(
    email: Email = "",
    api_key: ApiKey = "",
    policies: PolicyFolder = Path("policies"),
    as_json: AsJson = False,
) -> None:
    """Sign in with password and authenticator app; commands are then allowed for ten minutes.

    Stores a refresh token that you alone can read; `logout` deletes it.

    Exit code 0 when signed in; 1 when refused; 2 without an API key; 3 without an answer.
    """
    key = api_key or _api_key(policies)
    sign_in = SignIn(key, embedded_cloud())
    email = email or str(typer.prompt("E-mail", err=True))
    password = typer.prompt(PASSWORD, hide_input=True, err=True)
    with sign_in_answered():
        session = sign_in.begin(email, password)
        if isinstance(session, Challenge):
            session = sign_in.finish(session, typer.prompt(CODE, err=True))
    store_session(StoredSession(email, key, session.refresh_token))
    with sign_in_answered():  # what the responders will read in the tokens
        _, claims = credential.decode_unverified_token(session.id_token)
        proven = credential.person_credential(claims, session.id_token)
    role = proven.role.name.lower() if proven.role is not None else None
    if not proven.second_factor:
        typer.echo("Signed in without a second factor: commands are refused. First: rollback enrol", err=True)
    if role is None:
        typer.echo("Signed in without a role: commands are refused. Ask an administrator", err=True)
    typer.echo(f"Signed in as {email}, {role or 'no role'}.", err=True)
    if as_json:
        print_json({"signed_in": email, "role": role, "second_factor": proven.second_factor})


def logout(as_json: AsJson = False) -> None:
    """Delete the sign-in on this machine. Printed tokens stay valid for up to an hour.

    Exit code 0, also when nobody was signed in.
    """
    session_file().unlink(missing_ok=True)
    if as_json:
        print_json({"signed_in": None})


def token(as_json: AsJson = False) -> None:
    """Print a fresh ID token. It is a secret: whoever holds it can send one command in your name.

    Exit code 0 when printed; 1 when nobody is signed in, or refused; 3 without an answer.
    """
    printed = fresh_token()
    if as_json:
        print_json({"token": printed})
    else:
        print(printed)


def sign(
    command: CommandText,
    with_file: Annotated[
        Path | None, option("FILE", "take the token from FILE, such as a service account's", "--with")
    ] = None,
    as_json: AlreadyJson = False,
) -> None:
    """Print the command with a fresh token in it, ready to be published on rollback-commands.

    Exit code 0 when printed; 1 and 3 as for `token`; 2 when the command is no JSON object, or the
    file cannot be read.
    """
    content = _content(command)
    proof = _token_in(with_file) if with_file else fresh_token()
    print(json.dumps({**content, credential.TOKEN_KEY: proof}, ensure_ascii=False))


def fingerprint_of(command: CommandText, as_json: AsJson = False) -> None:
    """Print the hash of a command: the audience that a service account's token for it must have.

    Exit code 0 when printed; 2 when the command is no JSON object.
    """
    said = credential.command_fingerprint(_content(command))
    if as_json:
        print_json({"fingerprint": said})
    else:
        print(said)


def _api_key(folder: Path) -> str:
    with exit_on(BadConfiguration, INVALID_USAGE):
        known = loader.load_policies(folder)
    keys = {policy.identity.api_key for policy in known.values()} - {""}
    if len(keys) != 1:
        why = "the policies state several" if keys else "no policy states one"
        raise create_exit(
            INVALID_USAGE, f"which API key? {why} (identity.api_key): set --api-key or ROLLBACK_API_KEY"
        )
    return keys.pop()


def _token_in(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise create_exit(INVALID_USAGE, f"{file}: {type(error).__name__}") from None


def _content(command: str) -> JsonObject:
    text = sys.stdin.read(MAX_INPUT_BYTES + 1) if command == STANDARD_INPUT else command
    with exit_on(Refused, INVALID_USAGE, "not a command: "):
        return read_object(text.encode(), MAX_INPUT_BYTES + credential.MAX_TOKEN_CHARACTERS)
