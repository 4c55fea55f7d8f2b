"""What stays of a sign-in on this machine: one file, for its owner's eyes alone."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import typer
from msgspec.structs import replace

from cli.support.exit_codes import INVALID_USAGE, NO_ANSWER, REFUSED, create_exit, exit_on
from shared.adapters.sign_in import AuthSession, SignIn
from shared.core.codec import FrozenStruct, from_json
from shared.core.errors import BadConfiguration, Rejected, Unavailable
from shared.domain.commands.credential import hash_token
from shared.wiring.groups import local_cloud_address
from shared.wiring.settings import LOCAL_CLOUD_VARIABLE, Settings


class StoredSession(FrozenStruct):
    """Enough to get fresh tokens of a sign-in."""

    email: str
    api_key: str
    refresh_token: str
    printed: str = ""
    """Hash of the token that was printed last."""


def require_session() -> StoredSession:
    """The sign-in of this machine's user; exits when there is none."""
    kept = stored_session()
    if kept is None:
        raise create_exit(REFUSED, "nobody is signed in: rollback login")
    return kept


def stored_session() -> StoredSession | None:
    """The sign-in of this machine's user; None when there is none that can be read."""
    try:
        return from_json(session_file().read_bytes(), StoredSession)
    except (OSError, msgspec.DecodeError):
        return None


def fresh_token() -> str:
    """A token that was not printed before: those of one second are the same, and one is used up."""
    kept = require_session()
    session = _refresh_session(kept)
    if hash_token(session.id_token) == kept.printed:
        time.sleep(1.0)
        session = _refresh_session(kept)
    store_session(replace(kept, refresh_token=session.refresh_token, printed=hash_token(session.id_token)))
    return session.id_token


def _refresh_session(kept: StoredSession) -> AuthSession:
    with sign_in_answered():
        return SignIn(kept.api_key, embedded_cloud()).refresh(kept.refresh_token)


def store_session(session: StoredSession) -> None:
    """Write the file anew; at no moment can anybody else read it."""
    place = session_file()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.encode(session))
    draft.replace(place)


def session_file() -> Path:
    """Where it is kept: `~/.config/rollback/session.json`, or what the system has for that."""
    return Path(typer.get_app_dir("rollback")) / "session.json"


def embedded_cloud() -> str | None:
    """Return the address of an embedded cloud in Google's place; signing in needs nothing else."""
    if LOCAL_CLOUD_VARIABLE not in os.environ:
        return None
    with exit_on(BadConfiguration, INVALID_USAGE):
        settings = Settings.from_mapping({"GOOGLE_CLOUD_PROJECT": "any-project", **os.environ})
        return local_cloud_address(settings)


@contextmanager
def sign_in_answered() -> Iterator[None]:
    """Exit where sign-in refuses, or does not answer: then name the command that needs none."""
    try:
        yield
    except Rejected as refused:
        raise create_exit(REFUSED, str(refused)) from None
    except Unavailable as lost:
        other = "on the day when sign-in is down: rollback --without-sign-in COMMAND …"
        raise create_exit(NO_ANSWER, f"{lost}; {other}") from None
