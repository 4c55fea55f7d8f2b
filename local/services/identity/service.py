"""The HTTP side: who asks one of Google's identity hosts is answered here."""

import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from jwt import InvalidTokenError, PyJWS
from msgspec import Struct

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.identity.administration import IdentityError, create_user, update_claims
from local.services.identity.keys import Keys, SigningKey
from local.services.identity.requests import (
    EnrolledRequest,
    EnrolRequest,
    LookupRequest,
    SecondFactorRequest,
    ServiceTokenRequest,
    SignInRequest,
)
from local.services.identity.second_factor import SecondFactorEnrolment
from local.services.identity.token_exchange import ACCESS_TOKEN, UnknownGrant, exchange
from local.services.identity.users import Account, Session, User, Users, is_totp_code, uid_of
from shared.core.codec import from_json
from shared.domain.commands.credential import PERSON_ISSUER_PREFIX, SERVICE_ACCOUNT_ISSUER

HOSTS = (
    "identitytoolkit.googleapis.com",
    "securetoken.googleapis.com",
    "www.googleapis.com",
    "iamcredentials.googleapis.com",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
)
SIGN_IN = "/v1/accounts:signInWithPassword"
PEOPLE_CERTIFICATES = "/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
SERVICE_CERTIFICATES = "/oauth2/v1/certs"
CERTIFICATE_MAX_AGE_SECONDS = 3600
TOKEN_LIFETIME_SECONDS = 3600
SECOND_FACTOR_TIMEOUT_SECONDS = 300


class IdentityReply(Struct, frozen=True):
    """What is answered."""

    status: int
    content: dict[str, Any]
    max_age: int | None = None
    """Seconds that it may be kept; None: not at all."""


class EmbeddedIdentity:
    """Firebase Authentication of one project, and ID tokens for any service account.

    Google's libraries read the machine's clock when they judge a token's life, our own judgement
    reads the cloud's: so a token is issued at the earlier and expires after the later of the two.
    `auth_time` is the cloud's. One-time passwords follow the machine's clock, as a telephone does.
    """

    def __init__(self, clock: CloudClock, journal: Journal, wall: Callable[[], float] = time.time) -> None:
        self.project = ""
        """Where people sign in; set before anybody does."""
        self.users = Users(journal)
        self.takes_no_password: Callable[[str], bool] = lambda api_key: False
        """Whether a web API key is of a project in which nobody signs in by password."""
        self._keys = Keys(journal)
        self._clock = clock
        self._wall = wall
        self._pending: dict[str, tuple[str, float]] = {}
        self._enrolling = SecondFactorEnrolment()
        self._with_key: dict[str, Callable[[bytes], dict[str, Any]]] = {
            SIGN_IN: self._sign_in,
            "/v2/accounts/mfaSignIn:finalize": self._second_factor,
            "/v2/accounts/mfaEnrollment:start": self._enrol,
            "/v2/accounts/mfaEnrollment:finalize": self._enrolled,
        }
        """What people ask for themselves, with the web API key."""

    def respond(
        self, method: str, host: str, path: str, query: Mapping[str, str], body: bytes
    ) -> IdentityReply:
        """The answer to one request to one of the hosts."""
        try:
            return self._answer(method, host, path, query, body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _build_error_reply(IdentityError("INVALID_ARGUMENT"))
        except IdentityError as fault:
            return _build_error_reply(fault)

    def put(self, account: Account) -> dict[str, Any]:
        """Make or replace a person; their id."""
        return {"uid": self.users.put(account, self._issued_at()).uid}

    def connection_details(self) -> dict[str, Any]:
        """What a process needs to reach it as Google."""
        return {"project": self.project, "hosts": list(HOSTS), "certificate": self._keys.authority.decode()}

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The server's side of TLS for the hosts.

        A client of REST may offer h2 as well: it gets what it always offers beside it.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1", "h2"])
        with TemporaryDirectory() as folder:  # a chain is loaded from a file alone
            chain = Path(folder) / "server.pem"
            chain.touch(mode=0o600)
            chain.write_bytes(self._keys.server)
            context.load_cert_chain(chain)
        return context

    def person_token(self, claims: Mapping[str, Any]) -> str:
        """Sign claims as Firebase does, whatever they are."""
        return _sign_token(self._keys.people, claims)

    def service_token(self, claims: Mapping[str, Any]) -> str:
        """Sign claims as Google does for service accounts, whatever they are."""
        return _sign_token(self._keys.services, claims)

    def person_claims(self, user: User, *, second_factor: bool, auth_time: int) -> dict[str, Any]:
        """What a token of that person says."""
        factor = {"sign_in_second_factor": "totp", "second_factor_identifier": _enrolment_id(user)}
        return {
            "iss": PERSON_ISSUER_PREFIX + self.project,
            "aud": self.project,
            "auth_time": auth_time,
            "user_id": user.uid,
            "sub": user.uid,
            **self._life(),
            "email": user.email,
            "email_verified": user.email_verified,
            "firebase": {
                "identities": {"email": [user.email]},
                "sign_in_provider": "password",
                **(factor if second_factor else {}),
            },
            **user.claims,
        }

    def sign_push(self, email: str, audience: str, _now: datetime) -> str:
        """Sign the token of a push, as Google does for the service account of its subscription."""
        return self._sign_for(email, audience)

    def _sign_for(self, email: str, audience: str) -> str:
        return self.service_token(self.service_claims(email, audience))

    def service_claims(self, email: str, audience: str) -> dict[str, Any]:
        """What a token of that service account says."""
        subject = str(int(uid_of(email), 16))[:21]
        return {
            "iss": SERVICE_ACCOUNT_ISSUER,
            "aud": audience,
            "azp": subject,
            "sub": subject,
            **self._life(),
            "email": email,
            "email_verified": True,
        }

    def _answer(
        self, method: str, host: str, path: str, query: Mapping[str, str], body: bytes
    ) -> IdentityReply:
        match method, host, path:
            case "GET", "www.googleapis.com", p if p == PEOPLE_CERTIFICATES:
                return _build_certificates_reply(self._keys.people)
            case "GET", "www.googleapis.com", p if p == SERVICE_CERTIFICATES:
                return _build_certificates_reply(self._keys.services)
            case "POST", "identitytoolkit.googleapis.com", p if p in self._with_key:
                _require_key(query)
                if p == SIGN_IN and self.takes_no_password(query["key"]):
                    raise IdentityError("PASSWORD_LOGIN_DISABLED")
                return IdentityReply(200, self._with_key[p](body))
            case "POST", "identitytoolkit.googleapis.com", p if p.startswith(self._people):
                return IdentityReply(200, self._administrated(p.removeprefix(self._people), body))
            case "POST", "identitytoolkit.googleapis.com", p if p == self._initialize:
                return IdentityReply(200, {})
            case "POST", "securetoken.googleapis.com", "/v1/token":
                _require_key(query)
                return IdentityReply(200, self._refresh(dict(parse_qsl(body.decode()))))
            case "POST", _, _:
                return self._issue(host, path, body)
        raise IdentityError("NOT_FOUND", 404)

    @property
    def _people(self) -> str:
        return f"/v1/projects/{self.project}/accounts"

    @property
    def _initialize(self) -> str:
        return f"/v2/projects/{self.project}/identityPlatform:initializeAuth"

    def _administrated(self, verb: str, body: bytes) -> dict[str, Any]:
        """What whoever administrates the project asks of its people."""
        match verb:
            case "":
                return create_user(self.users, body)
            case ":update":
                return update_claims(self.users, body)
            case ":lookup":
                return self._look_up(body)
        raise IdentityError("NOT_FOUND", 404)

    def _enrol(self, body: bytes) -> dict[str, Any]:
        asked = from_json(body, EnrolRequest)
        if asked.totp_enrollment_info is None:
            raise IdentityError("INVALID_ARGUMENT")
        return self._enrolling.begin(self._whose(asked.id_token))

    def _enrolled(self, body: bytes) -> dict[str, Any]:
        asked = from_json(body, EnrolledRequest)
        said, user = asked.totp_verification_info, self._whose(asked.id_token)
        user = self._enrolling.finish(user, said, self._wall())
        self.users.keep(user)
        return {**self._begun(user, second_factor=True), "totpAuthInfo": {}}

    def _whose(self, token: str) -> User:
        """Who a token is about that was signed here."""
        try:
            content = PyJWS().decode(token, self._keys.people.key.public_key(), ["RS256"])
        except InvalidTokenError:
            raise IdentityError("INVALID_ID_TOKEN") from None
        user = self.users.get(from_json(content)["sub"])
        if user is None:
            raise IdentityError("USER_NOT_FOUND")
        return user

    def find_token_email(self, token: str) -> str:
        """The address of the account whose token that is; empty: nobody's."""
        try:
            return self._whose(token).email if token else ""
        except IdentityError:
            return ""

    def _sign_in(self, body: bytes) -> dict[str, Any]:
        asked = from_json(body, SignInRequest)
        user = self.users.find_by_email(asked.email)
        if user is None or user.password != asked.password:
            raise IdentityError("INVALID_LOGIN_CREDENTIALS")
        self._need_able(user)
        found = {"localId": user.uid, "email": user.email}
        if not user.totp_secret:
            return {**found, **self._begun(user, second_factor=False), "expiresIn": "3600"}
        pending = secrets.token_urlsafe(32)
        self._pending[pending] = (user.uid, self._wall() + SECOND_FACTOR_TIMEOUT_SECONDS)
        enrolled = {"mfaEnrollmentId": _enrolment_id(user), "displayName": "app", "totpInfo": {}}
        return {**found, "mfaPendingCredential": pending, "mfaInfo": [enrolled]}

    def _second_factor(self, body: bytes) -> dict[str, Any]:
        asked = from_json(body, SecondFactorRequest)
        uid, until = self._pending.get(asked.mfa_pending_credential, ("", 0.0))
        user = self.users.get(uid)
        if user is None or self._wall() > until:
            raise IdentityError("INVALID_MFA_PENDING_CREDENTIAL")
        if asked.mfa_enrollment_id != _enrolment_id(user):
            raise IdentityError("MFA_ENROLLMENT_NOT_FOUND")
        said = asked.totp_verification_info.verification_code
        if not is_totp_code(user.totp_secret, said, self._wall()):
            raise IdentityError("INVALID_MFA_VERIFICATION_CODE")
        self._need_able(user)
        del self._pending[asked.mfa_pending_credential]
        return self._begun(user, second_factor=True)

    def _begun(self, user: User, *, second_factor: bool) -> dict[str, Any]:
        """Tokens of a new session."""
        session = Session(user.uid, self._clock.now(), self._issued_at(), second_factor)
        return {"idToken": self._token(user, session), "refreshToken": self.users.begin(session)}

    def _refresh(self, asked: Mapping[str, str]) -> dict[str, Any]:
        if asked.get("grant_type") != "refresh_token":
            raise IdentityError("INVALID_GRANT_TYPE")
        session = self.users.session(asked.get("refresh_token", ""))
        user = self.users.get(session.uid) if session else None
        if session is None or user is None:
            raise IdentityError("INVALID_REFRESH_TOKEN")
        if session.issued_at < user.valid_since:
            raise IdentityError("TOKEN_EXPIRED")
        self._need_able(user)
        token = self._token(user, session)
        return {
            "access_token": token,
            "id_token": token,
            "refresh_token": asked["refresh_token"],
            "expires_in": "3600",
            "token_type": "Bearer",
            "user_id": user.uid,
            "project_id": self.project,
        }

    def _look_up(self, body: bytes) -> dict[str, Any]:
        asked = from_json(body, LookupRequest)
        found = [user for uid in asked.local_id if (user := self.users.get(uid))]
        shown = [
            {
                "localId": user.uid,
                "email": user.email,
                "emailVerified": user.email_verified,
                "validSince": str(user.valid_since),
                "disabled": user.disabled,
                "customAttributes": msgspec.json.encode(user.claims).decode(),
            }
            for user in found
        ]
        kind = {"kind": "identitytoolkit#GetAccountInfoResponse"}
        return {**kind, "users": shown} if shown else kind

    def _service(self, path: str, body: bytes) -> dict[str, Any]:
        asked = from_json(body, ServiceTokenRequest)
        email = path.rpartition("/")[2].removesuffix(":generateIdToken")
        if not asked.audience:
            raise IdentityError("INVALID_ARGUMENT")
        claims = self.service_claims(email, asked.audience)
        if not asked.include_email:
            del claims["email"], claims["email_verified"]
        return {"token": self.service_token(claims)}

    def _issue(self, host: str, path: str, body: bytes) -> IdentityReply:
        """Tokens for programs."""
        match host, path.rpartition(":")[2]:
            case "iamcredentials.googleapis.com", "generateIdToken":
                return IdentityReply(200, self._service(path, body))
            case "iamcredentials.googleapis.com", "generateAccessToken":
                expires_at = datetime.fromtimestamp(self._life()["exp"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                return IdentityReply(200, {"accessToken": ACCESS_TOKEN, "expireTime": expires_at})
            case "oauth2.googleapis.com" | "sts.googleapis.com", "/token" | "/v1/token":
                return self._exchange(body)
        raise IdentityError("NOT_FOUND", 404)

    def _exchange(self, body: bytes) -> IdentityReply:
        try:
            return IdentityReply(200, exchange(body, self._sign_for))
        except UnknownGrant as unknown:
            return IdentityReply(400, {"error": str(unknown)})

    def _token(self, user: User, session: Session) -> str:
        authenticated_at = int(session.authenticated_at.timestamp())
        return self.person_token(
            self.person_claims(user, second_factor=session.second_factor, auth_time=authenticated_at)
        )

    def _life(self) -> dict[str, int]:
        expires_at = max(self._wall(), self._clock.now().timestamp()) + TOKEN_LIFETIME_SECONDS
        return {"iat": self._issued_at(), "exp": int(expires_at)}

    def _issued_at(self) -> int:
        return int(min(self._wall(), self._clock.now().timestamp()))

    def _need_able(self, user: User) -> None:
        if user.disabled:
            raise IdentityError("USER_DISABLED")


def _enrolment_id(user: User) -> str:
    return uid_of(f"second factor of {user.uid}")


def _require_key(query: Mapping[str, str]) -> None:
    if not query.get("key"):
        raise IdentityError("The request is missing a valid API key.", 403)


def _build_certificates_reply(signing: SigningKey) -> IdentityReply:
    return IdentityReply(200, {signing.id: signing.certificate}, CERTIFICATE_MAX_AGE_SECONDS)


def _sign_token(signing: SigningKey, claims: Mapping[str, Any]) -> str:
    content = msgspec.json.encode(claims)
    return PyJWS().encode(content, signing.key, algorithm="RS256", headers={"kid": signing.id})


def _build_error_reply(fault: IdentityError) -> IdentityReply:
    detail = {"message": fault.message, "domain": "global", "reason": "invalid"}
    error = {"code": fault.status, "message": fault.message, "errors": [detail]}
    return IdentityReply(fault.status, {"error": error})
