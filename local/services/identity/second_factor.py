"""An authenticator app becomes a person's second factor, once it has shown a code."""

import secrets
from typing import Any

from msgspec.structs import replace

from local.services.identity.administration import IdentityError
from local.services.identity.requests import EnrolledPassword
from local.services.identity.users import CODE_LIFETIME_SECONDS, User, create_totp_secret, is_totp_code


class SecondFactorEnrolment:
    """Secrets that no app has answered for yet, by session."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[str, str]] = {}

    def begin(self, user: User) -> dict[str, Any]:
        """What an app is told; Google refuses whoever's address is not verified."""
        if not user.email_verified:
            raise IdentityError("UNVERIFIED_EMAIL")
        session, secret = secrets.token_urlsafe(32), create_totp_secret()
        self._begun[session] = (user.uid, secret)
        told = {"sharedSecretKey": secret, "sessionInfo": session, "periodSec": CODE_LIFETIME_SECONDS}
        return {"totpSessionInfo": told}

    def finish(self, user: User, said: EnrolledPassword, at_seconds: float) -> User:
        """The person, who needs the app from now on."""
        uid, secret = self._begun.get(said.session_info, ("", ""))
        if uid != user.uid:
            raise IdentityError("INVALID_SESSION_INFO")
        if not is_totp_code(secret, said.verification_code, at_seconds):
            raise IdentityError("INVALID_MFA_VERIFICATION_CODE")
        del self._begun[said.session_info]
        return replace(user, totp_secret=secret)
