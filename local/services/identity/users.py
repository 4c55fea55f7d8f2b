"""The people of the embedded Identity, and their sessions."""

import base64
import hashlib
import hmac
import secrets
import struct
import threading
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from local.core.journal import Journal
from shared.core.codec import from_json
from shared.domain.commands.credential import ROLE_CLAIM

JOURNAL_SERVICE = "identity users"
SESSIONS_JOURNAL_SERVICE = "identity sessions"
CODE_LIFETIME_SECONDS = 30
"""A one-time password's life (RFC 6238); the one before and the one after are taken as well."""


class Account(Struct, forbid_unknown_fields=True):
    """A person, whole: put again under the same address, it is replaced."""

    email: Annotated[str, Meta(min_length=3)]
    password: str
    role: str | None = None
    """Short for the custom claim `rollback_role`."""
    claims: dict[str, Any] = {}
    """Custom claims."""
    totp_secret: str = ""
    """Base32, as authenticator apps take it; "": no second factor."""
    disabled: bool = False
    revoke: bool = False
    """End every session and token that there is."""


class User(Struct, frozen=True):
    """A person as kept."""

    uid: str
    email: str
    password: str
    claims: dict[str, Any]
    totp_secret: str = ""
    disabled: bool = False
    email_verified: bool = True
    valid_since: int = 0
    """Tokens that were issued before (seconds since 1970) are revoked."""


class Session(Struct, frozen=True):
    """What a refresh token stands for."""

    uid: str
    authenticated_at: datetime
    issued_at: int
    second_factor: bool


class Users:
    """Everybody, by id; what they may do is what their claims say."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()

    def put(self, account: Account, now: int) -> User:
        """The person as they are from now on."""
        with self._lock:
            before = self.find_by_email(account.email)
            role = {} if account.role is None else {ROLE_CLAIM: account.role}
            user = User(
                uid=before.uid if before else uid_of(account.email),
                email=account.email,
                password=account.password,
                claims={**account.claims, **role},
                totp_secret=account.totp_secret,
                disabled=account.disabled,
                valid_since=now if account.revoke else before.valid_since if before else 0,
            )
            self.keep(user)
            return user

    def keep(self, user: User) -> None:
        """The person as they are from now on."""
        self._journal.write(JOURNAL_SERVICE, [(user.uid, msgspec.json.encode(user))])

    def remove(self, uid: str) -> None:
        """There is no such person any more."""
        self._journal.write(JOURNAL_SERVICE, [(uid, None)])

    def get(self, uid: str) -> User | None:
        """The person of that id."""
        return next((user for user in self._all() if user.uid == uid), None)

    def find_by_email(self, email: str) -> User | None:
        """The person of that address."""
        return next((user for user in self._all() if user.email == email), None)

    def begin(self, session: Session) -> str:
        """A refresh token for a session."""
        token = secrets.token_urlsafe(48)
        self._journal.write(SESSIONS_JOURNAL_SERVICE, [(token, msgspec.json.encode(session))])
        return token

    def session(self, refresh_token: str) -> Session | None:
        """What a refresh token stands for."""
        kept = dict(self._journal.read(SESSIONS_JOURNAL_SERVICE)).get(refresh_token)
        return from_json(kept, Session) if kept else None

    def _all(self) -> list[User]:
        return [from_json(kept, User) for _, kept in self._journal.read(JOURNAL_SERVICE)]


def uid_of(email: str) -> str:
    """An id of 28 signs, as Firebase's are; the same for an address in each run."""
    return hashlib.sha256(email.encode()).hexdigest()[:28]


def create_totp_secret() -> str:
    """What an authenticator app is told: 160 bits in base32, as RFC 4226 recommends."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def totp_code(secret: str, at_seconds: float) -> str:
    """The one-time password of a moment (RFC 6238: SHA-1, six digits)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    counter = struct.pack(">Q", int(at_seconds // CODE_LIFETIME_SECONDS))
    digest = hmac.new(key, counter, hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def is_totp_code(secret: str, said: str, at_seconds: float) -> bool:
    """Whether somebody who holds the secret may have said it just now."""
    near = (at_seconds + CODE_LIFETIME_SECONDS * step for step in (-1, 0, 1))
    return any(hmac.compare_digest(totp_code(secret, moment), said) for moment in near)
