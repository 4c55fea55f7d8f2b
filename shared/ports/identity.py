"""Ports of identity: operators' sign-in, our tokens, secrets (errors: shared/ports/groups.py)."""

from typing import Protocol

from shared.domain.commands.console_operator import OperatorAccount
from shared.domain.commands.credential import Credential


class TokenVerifier(Protocol):
    """Proof of who speaks: Firebase Authentication, and Google's service accounts."""

    def verify(self, token: str) -> Credential:
        """Who holds this token, by its signature and as of now.

        Raises: Rejected (malformed, foreign, expired, revoked, the user is gone or disabled), with
        a reason that holds no part of the token; Unavailable when keys or user cannot be looked up.
        """

    def look_up(self, subject: str) -> OperatorAccount:
        """A person as of now. Raises: Rejected (gone or disabled), Unavailable."""


class OperatorSignIn(Protocol):
    """Where operators sign in."""

    def sign_in(self, email: str, password: str, code: str) -> str:
        """An ID token of whoever has given password and code of their authenticator app.

        Raises: Rejected, in words for the person, also where no second factor is enrolled.
        """


class SecretValues(Protocol):
    """What secrets of the operations project hold."""

    def read(self, name: str) -> str:
        """The value. Raises: Rejected, Unavailable."""


class IdTokenSource(Protocol):
    """This instance's own service account, as far as it can say that it speaks."""

    def token(self, audience: str) -> str:
        """An ID token of it for that audience, with its address. Raises: Rejected, Unavailable."""
