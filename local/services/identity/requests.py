"""What is asked of the embedded Identity, as Google's REST names it; what is absent is empty."""

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


class EnrolRequest(Struct, frozen=True, rename="camel"):
    """Of accounts/mfaEnrollment:start."""

    id_token: str = ""
    totp_enrollment_info: dict[str, str] | None = None


class EnrolledPassword(OneTimePassword, frozen=True, rename="camel"):
    """What an authenticator app shows while it is enrolled."""

    session_info: str = ""


class EnrolledRequest(Struct, frozen=True, rename="camel"):
    """Of accounts/mfaEnrollment:finalize."""

    id_token: str = ""
    totp_verification_info: EnrolledPassword = EnrolledPassword()


class NewAccountRequest(Struct, frozen=True, rename="camel"):
    """Of accounts, as an administrator asks."""

    local_id: str = ""
    email: str = ""
    password: str = ""
    email_verified: bool = False


class UpdateRequest(Struct, frozen=True, rename="camel"):
    """Of accounts:update, as an administrator asks."""

    local_id: str = ""
    custom_attributes: str = "{}"


class LookupRequest(Struct, frozen=True, rename="camel"):
    """Of accounts:lookup."""

    local_id: list[str] = []


class ServiceTokenRequest(Struct, frozen=True, rename="camel"):
    """Of generateIdToken."""

    audience: str = ""
    include_email: bool = False
