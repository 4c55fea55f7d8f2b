"""What is asked of the embedded Identity, as Google's REST names it; what is absent is empty."""

from __future__ import annotations

from msgspec import Struct


class SignInRequest(Struct, frozen=True):
    """Of accounts:signInWithPassword."""

    email: str = ""
    password: str = ""


class OneTimePassword(Struct, frozen=True, rename="camel"):
    """What an authenticator app shows."""

    verification_code: str = ""


class SecondFactorRequest(Struct, frozen=True, rename="camel"):
    """Of accounts/mfaSignIn:finalize."""

    mfa_pending_credential: str = ""
    mfa_enrollment_id: str = ""
    totp_verification_info: OneTimePassword = OneTimePassword()


class LookupRequest(Struct, frozen=True, rename="camel"):
    """Of accounts:lookup."""

    local_id: list[str] = []


class ServiceTokenRequest(Struct, frozen=True, rename="camel"):
    """Of generateIdToken."""

    audience: str = ""
    include_email: bool = False
