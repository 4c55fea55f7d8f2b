"""A person signs in: password, then the code of an authenticator app, once that is enrolled.

Identity Toolkit's REST (cloud.google.com/identity-platform/docs/reference/rest, accounts
.signInWithPassword v1, accounts.mfaSignIn.finalize and accounts.mfaEnrollment v2) and Secure
Token's (firebase.google.com/docs/reference/rest/auth, "Exchange a refresh token"); both read
2026-11-24.
"""

from dataclasses import dataclass

import httpx
import msgspec

from shared.core.codec import FrozenStruct, JsonObject, from_json
from shared.core.errors import Rejected, Unavailable

TOOLKIT_URL = "https://identitytoolkit.googleapis.com"
SECURE_TOKEN_URL = "https://securetoken.googleapis.com"  # noqa: S105 - an address
CALL_TIMEOUT_SECONDS = 15.0
_ERROR_TEXTS = {
    "INVALID_LOGIN_CREDENTIALS": "wrong address or password",
    "INVALID_PASSWORD": "wrong address or password",
    "EMAIL_NOT_FOUND": "wrong address or password",
    "USER_DISABLED": "the account is disabled",
    "INVALID_MFA_VERIFICATION_CODE": "wrong code",
    "INVALID_CODE": "wrong code",
    "INVALID_MFA_PENDING_CREDENTIAL": "that took too long: sign in again",
    "TOKEN_EXPIRED": "signed out: sign in again",
    "INVALID_REFRESH_TOKEN": "signed out: sign in again",
    "USER_NOT_FOUND": "the account is gone",
    "UNVERIFIED_EMAIL": "the address is not verified: an administrator can say that it is",
    "OPERATION_NOT_ALLOWED": "the project does not allow that: docs/operate.md switches it on",
}
"""Google's words, as a person understands them."""


class AuthSession(FrozenStruct):
    """Signed in."""

    id_token: str
    refresh_token: str


class Challenge(FrozenStruct):
    """The password was right; now the second factor."""

    pending: str
    enrolment: str


class Enrolment(FrozenStruct):
    """An authenticator app that is to be a person's second factor, once it has shown a code."""

    id_token: str
    session: str
    secret: str
    """What the app is told: base32."""


@dataclass
class SignIn:
    """The project that people sign in to, by web API key; `played`: an embedded cloud's address."""

    _key: str
    _played: str | None = None

    def begin(self, email: str, password: str) -> AuthSession | Challenge:
        """Signed in, or asked for the second factor. Raises: Rejected, Unavailable."""
        said = {"email": email, "password": password, "returnSecureToken": True}
        answer = self._post(TOOLKIT_URL, "/v1/accounts:signInWithPassword", json=said)
        pending = answer.get("mfaPendingCredential")
        if not pending:
            return _session(answer, "idToken", "refreshToken")
        apps = [one for one in answer.get("mfaInfo", ()) if "totpInfo" in one]
        if not apps:
            raise Rejected("the second factor is no authenticator app: only those work here")
        return Challenge(pending, apps[0]["mfaEnrollmentId"])

    def finish(self, challenge: Challenge, code: str) -> AuthSession:
        """Signed in, with a second factor. Raises: Rejected, Unavailable."""
        said = {
            "mfaPendingCredential": challenge.pending,
            "mfaEnrollmentId": challenge.enrolment,
            "totpVerificationInfo": {"verificationCode": code},
        }
        answer = self._post(TOOLKIT_URL, "/v2/accounts/mfaSignIn:finalize", json=said)
        return _session(answer, "idToken", "refreshToken")

    def sign_in(self, email: str, password: str, code: str) -> str:
        begun = self.begin(email, password)
        if not isinstance(begun, Challenge):
            raise Rejected("you have no second factor: first enrol an app (rollback enrol)")
        return self.finish(begun, code).id_token

    def enrol(self, session: AuthSession) -> Enrolment:
        """An app for a person who has signed in without one. Raises: Rejected, Unavailable."""
        said = {"idToken": session.id_token, "totpEnrollmentInfo": {}}
        answer = self._post(TOOLKIT_URL, "/v2/accounts/mfaEnrollment:start", json=said)
        try:
            begun = answer["totpSessionInfo"]
            return Enrolment(session.id_token, begun["sessionInfo"], begun["sharedSecretKey"])
        except (KeyError, TypeError):
            raise Unavailable("sign-in: an answer without a secret") from None

    def confirm_enrolment(self, enrolment: Enrolment, code: str) -> None:
        """From now on that app is asked for. Raises: Rejected, Unavailable."""
        said = {
            "idToken": enrolment.id_token,
            "displayName": "rollback",
            "totpVerificationInfo": {"sessionInfo": enrolment.session, "verificationCode": code},
        }
        self._post(TOOLKIT_URL, "/v2/accounts/mfaEnrollment:finalize", json=said)

    def refresh(self, refresh_token: str) -> AuthSession:
        """A new token of the same sign-in, as old as that. Raises: Rejected, Unavailable."""
        said = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return _session(self._post(SECURE_TOKEN_URL, "/v1/token", form=said), "id_token", "refresh_token")

    def _post(
        self, host: str, path: str, json: JsonObject | None = None, form: dict[str, str] | None = None
    ) -> JsonObject:
        place, headers = host, {}
        if self._played is not None:
            place, headers = f"http://{self._played}", {"Host": host.removeprefix("https://")}
        try:
            answer = httpx.post(
                place + path,
                params={"key": self._key},
                headers=headers,
                json=json,
                data=form,
                timeout=CALL_TIMEOUT_SECONDS,
                trust_env=self._played is None,
            )
            content = from_json(answer.content, JsonObject)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise Unavailable(f"sign-in: no answer ({type(error).__name__})") from None
        if answer.status_code >= 500:
            raise Unavailable(f"sign-in answers {answer.status_code}")
        if answer.status_code >= 400:
            raise Rejected(_describe_error(content.get("error")))
        return content


def _session(answer: JsonObject, token: str, refresh_token: str) -> AuthSession:
    try:
        return AuthSession(answer[token], answer[refresh_token])
    except KeyError:
        raise Unavailable("sign-in: an answer without a token") from None


def _describe_error(error: object) -> str:
    """What an error of Google's says: its message begins with one word for machines."""
    said = str(error.get("message", "") if isinstance(error, dict) else error)
    return _ERROR_TEXTS.get(said.partition(" ")[0], said)
