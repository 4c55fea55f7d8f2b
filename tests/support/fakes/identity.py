"""Identity in memory: tokens sealed by a secret of its own, and judged as real ones are."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.core.errors import Rejected, Unavailable
from shared.core.runtime import Clock
from shared.domain.commands.console_operator import OperatorAccount
from shared.domain.commands.credential import (
    PERSON_ISSUER_PREFIX,
    ROLE_CLAIM,
    SERVICE_ACCOUNT_ISSUER,
    Credential,
    CredentialKind,
    claimed_credential_kind,
    person_credential,
    service_account_credential,
)
from shared.domain.policy.operator_identity import Role

CLOCK_SKEW_SECONDS = 10
SECRET = b"known to this module alone"


class FakeIdentity:
    """People and service accounts of one project, by the fake clock."""

    def __init__(self, clock: Clock, project: str) -> None:
        self._clock = clock
        self._project = project
        self.is_down = False
        self.disabled: set[str] = set()
        self.valid_since: dict[str, float] = {}
        """By user: tokens that were issued before are revoked."""
        self.deleted: set[str] = set()
        self.roles: dict[str, str] = {}
        """By user; everybody else is a commander."""
        self.asked = 0

    def verify(self, token: str) -> Credential:
        """As the port says."""
        self.asked += 1
        kind = claimed_credential_kind(token, self._project)
        if self.is_down:
            raise Unavailable("identity: no answer (a test)")
        sealed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, _seal(sealed)):
            raise Rejected("the token's signature is not valid")
        claims = json.loads(_decoded(sealed.partition(".")[2]))
        self._judge(claims)
        if kind is CredentialKind.SERVICE:
            return service_account_credential(claims, token)
        self._look_up(claims)
        return person_credential(claims, token)

    def look_up(self, subject: str) -> OperatorAccount:
        """As the port says."""
        if self.is_down:
            raise Unavailable("identity: no answer (a test)")
        self._require_able(subject)
        since = datetime.fromtimestamp(self.valid_since.get(subject, 0), UTC)
        return OperatorAccount(Role.from_name(self.roles.get(subject, "commander")), since)

    def person(self, **changes: Any) -> str:
        """A token of a commander who signed in a minute ago, with a second factor."""
        now = self._clock.now()
        claims = {
            "iss": PERSON_ISSUER_PREFIX + self._project,
            "aud": self._project,
            "sub": "uid-ada",
            "email": "ada@example.com",
            "email_verified": True,
            "auth_time": int((now - timedelta(minutes=1)).timestamp()),
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
            "firebase": {"sign_in_provider": "password", "sign_in_second_factor": "totp"},
            ROLE_CLAIM: "commander",
            **changes,
        }
        return sign_token(claims)

    def service(self, audience: str, **changes: Any) -> str:
        """A token of a service account for an audience."""
        now = self._clock.now()
        claims = {
            "iss": SERVICE_ACCOUNT_ISSUER,
            "aud": audience,
            "sub": "1234567890",
            "email": "deploy@bookshop-prod.iam.gserviceaccount.com",
            "email_verified": True,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
            **changes,
        }
        return sign_token(claims)

    def _judge(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now().timestamp()
        if now + CLOCK_SKEW_SECONDS < claims["iat"]:
            raise Rejected("the token was issued in the future")
        if claims["exp"] + CLOCK_SKEW_SECONDS < now:
            raise Rejected("the token has expired")

    def _look_up(self, claims: Mapping[str, Any]) -> None:
        user = claims["sub"]
        self._require_able(user)
        if claims["iat"] < self.valid_since.get(user, 0):
            raise Rejected("the token was revoked")

    def _require_able(self, user: str) -> None:
        if user in self.deleted:
            raise Rejected("the user does not exist")
        if user in self.disabled:
            raise Rejected("the user is disabled")


class FakeSignIn:
    """An Entrance for whoever is known, by the password and the code that are always the same."""

    PASSWORD, CODE = "pw", "123456"

    def __init__(self, identity: FakeIdentity) -> None:
        self._identity = identity
        self.people: dict[str, str] = {"ada@example.com": "commander"}
        """Roles by address."""
        self.without_app: set[str] = set()

    def sign_in(self, email: str, password: str, code: str) -> str:
        """As the port says."""
        if self._identity.is_down:
            raise Unavailable("sign-in: no answer (a test)")
        if email not in self.people or password != self.PASSWORD:
            raise Rejected("wrong address or password")
        if email in self.without_app:
            raise Rejected("you have no second factor: first enrol an app (rollback enrol)")
        if code != self.CODE:
            raise Rejected("wrong code")
        name = f"uid-{email.partition('@')[0]}"
        self._identity.roles[name] = self.people[email]
        return self._identity.person(sub=name, email=email, **{ROLE_CLAIM: self.people[email]})


class FakeServiceIdentity:
    """A Voice of one account, which may be out of order."""

    def __init__(self, identity: FakeIdentity, account: str) -> None:
        self._identity = identity
        self._account = account
        self.is_down = False

    def token(self, audience: str) -> str:
        """As the port says."""
        if self.is_down:
            raise Unavailable("iamcredentials.googleapis.com: no answer (a test)")
        if not audience:
            raise Rejected("INVALID_ARGUMENT")
        return self._identity.service(audience, email=self._account)


def sign_token(claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
    """A token that the fake takes for well signed."""
    parts = (header or {"alg": "RS256", "kid": "fake"}, claims)
    sealed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    return f"{sealed}.{_seal(sealed)}"


def _seal(text: str) -> str:
    return _encoded(hmac.new(SECRET, text.encode(), hashlib.sha512).digest() * 4)


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
