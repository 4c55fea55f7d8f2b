"""How one of us proves who speaks: by operators' sign-in, by its own word, by what secrets hold.

Kept by shared/sign_in, by shared/gcp and by the fakes of the tests, as shared/ports.py says.
"""

from __future__ import annotations

from typing import Protocol


class Entrance(Protocol):
    """Where operators sign in."""

    def enter(self, email: str, password: str, code: str) -> str:
        """An ID token of whoever has given password and code of their authenticator app.

        Raises: Rejected, in words for the person, also where no second factor is enrolled.
        """
        ...


class Secrets(Protocol):
    """What secrets of the operations project hold."""

    def read(self, name: str) -> str:
        """The value. Raises: Rejected, Unavailable."""
        ...


class Voice(Protocol):
    """This instance's own service account, as far as it can say that it speaks."""

    def token(self, audience: str) -> str:
        """An ID token of it for that audience, with its address. Raises: Rejected, Unavailable."""
        ...
