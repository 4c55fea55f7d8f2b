"""What stays of a sign-in on this machine: one file, for its owner's eyes alone."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import typer
from msgspec import Struct

from shared.core.codec import from_json


class Kept(Struct, frozen=True):
    """Enough to get fresh tokens of a sign-in."""

    email: str
    api_key: str
    refresh_token: str
    printed: str = ""
    """Hash of the token that was printed last."""


def file() -> Path:
    """Where it is kept: `~/.config/rollback/session.json`, or what the system has for that."""
    return Path(typer.get_app_dir("rollback")) / "session.json"


def keep(session: Kept) -> None:
    """Write the file anew; at no moment can anybody else read it."""
    place = file()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.encode(session))
    draft.replace(place)


def kept() -> Kept | None:
    """The sign-in of this machine's user; None when there is none that can be read."""
    try:
        return from_json(file().read_bytes(), Kept)
    except (OSError, msgspec.DecodeError):
        return None


def forget() -> None:
    """Nobody is signed in any more."""
    file().unlink(missing_ok=True)
