"""Who speaks, as a verified token says it; and the hash of what they say."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from shared.core.codec import FrozenStruct, JsonObject, StoredDocument, documents_of, from_builtins, from_json
from shared.core.errors import Rejected
from shared.domain.policy.operator_identity import Role

SERVICE_ACCOUNT_RIGHT = "a service account within the policy's limits"
"""The right by which a program gives a command, as records name it."""
TOKEN_KEY = "token"  # noqa: S105 - the field's name
"""The field of a command that holds the token."""
ROLE_CLAIM = "rollback_role"
"""The custom claim that gives a person a role."""
PERSON_ISSUER_PREFIX = "https://securetoken.google.com/"
"""Issuer of Firebase ID tokens, followed by the project (firebase_admin/_token_gen.py 7.7.0)."""
SERVICE_ACCOUNT_ISSUER = "https://accounts.google.com"
"""Issuer of the ID tokens of service accounts (google/oauth2/id_token.py 2.63.0)."""
MAX_TOKEN_CHARACTERS = 16 * 1024
_PARTS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
token_path = documents_of("tokens")


class CredentialKind(StrEnum):
    """A person who signed in, or a program with a Google service account."""

    PERSON = "person"
    SERVICE = "service"


class Credential(FrozenStruct):
    """What a token proves, once its signature, its issuer and its life were verified."""

    subject: str
    """The issuer's id of the speaker; never reused."""
    name: str
    """As trails show it: the verified e-mail address, else the subject."""
    kind: CredentialKind
    role: Role | None
    """A person's; None: no role was given. A service has none: the policies list it."""
    second_factor: bool
    authenticated_at: datetime
    """When the person entered password and second factor; a service's token: when it was issued."""
    issued_at: datetime
    expires_at: datetime
    audience: str
    token_hash: str
    """SHA-256 of the token, in hex: what is kept of it."""


class UsedToken(StoredDocument):
    """A token that was used up; its document is created in the commit of its command."""

    command: str
    used_at: datetime
    expires_at: datetime
    """When the token itself is worth nothing any more."""


def command_fingerprint(command: Mapping[str, Any]) -> str:
    """The hash of a command: SHA-256, in hex, over its canonical JSON without the token.

    Canonical: keys sorted, no white space, UTF-8 without escapes, numbers as they are written. The
    same as `json.dumps(command, sort_keys=True, separators=(",", ":"), ensure_ascii=False)` of
    Python, or `jq -cjS .` for a command whose numbers are whole.
    """
    content = {name: value for name, value in command.items() if name != TOKEN_KEY}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def decode_unverified_token(token: str) -> tuple[JsonObject, JsonObject]:
    """Header and claims of a token that is written in the one way there is. Nothing is verified.

    Base64 leaves bits of its last sign unused and decoders are lenient: one signature has many
    spellings. All but the canonical one are refused, else a used token would come again as another.
    Raises: Rejected.
    """
    if len(token) > MAX_TOKEN_CHARACTERS or not _PARTS.fullmatch(token):
        raise Rejected("the token is malformed")
    try:
        header, claims, _ = (_decode_canonical_base64(part) for part in token.split("."))
        found = from_json(header), from_json(claims)
    except (ValueError, RecursionError):
        raise Rejected("the token is malformed") from None
    if not all(isinstance(part, dict) for part in found):
        raise Rejected("the token is malformed")
    return found


def claimed_credential_kind(token: str, project: str) -> CredentialKind:
    """Return whose token it claims to be, without verifying it. Raises: Rejected."""
    header, claims = decode_unverified_token(token)
    if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
        raise Rejected("the token is not signed with RS256 and a named key")
    issuer = claims.get("iss")
    if issuer == SERVICE_ACCOUNT_ISSUER:
        return CredentialKind.SERVICE
    if issuer == PERSON_ISSUER_PREFIX + project and claims.get("aud") == project:
        return CredentialKind.PERSON
    raise Rejected("the token is of a foreign issuer or project")


def person_credential(claims: Mapping[str, Any], token: str) -> Credential:
    """What the verified claims of a Firebase ID token prove. Raises: Rejected."""
    with _require_well_formed_claims():
        firebase = claims["firebase"]
        if "tenant" in firebase:
            raise Rejected("the token is of a tenant")
        is_named = claims.get("email_verified") is True and claims.get("email")
        return Credential(
            subject=from_builtins(claims["sub"], str),
            name=from_builtins(claims["email" if is_named else "sub"], str),
            kind=CredentialKind.PERSON,
            role=Role.from_name(claims.get(ROLE_CLAIM)),
            second_factor=bool(firebase.get("sign_in_second_factor")),
            authenticated_at=_claim_time(claims, "auth_time"),
            issued_at=_claim_time(claims, "iat"),
            expires_at=_claim_time(claims, "exp"),
            audience=claims["aud"],
            token_hash=hash_token(token),
        )


def service_account_credential(claims: Mapping[str, Any], token: str) -> Credential:
    """What the verified claims of a service account's ID token prove. Raises: Rejected."""
    with _require_well_formed_claims():
        if claims.get("email_verified") is not True:
            raise Rejected("the token has no verified e-mail address")
        return Credential(
            subject=from_builtins(claims["sub"], str),
            name=from_builtins(claims["email"], str),
            kind=CredentialKind.SERVICE,
            role=None,
            second_factor=False,
            authenticated_at=_claim_time(claims, "iat"),
            issued_at=_claim_time(claims, "iat"),
            expires_at=_claim_time(claims, "exp"),
            audience=claims["aud"],
            token_hash=hash_token(token),
        )


@contextmanager
def _require_well_formed_claims() -> Iterator[None]:
    """The body; claims that are absent or of the wrong kind make the token malformed."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError):
        raise Rejected("the token is malformed") from None


def _claim_time(claims: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromtimestamp(int(claims[name]), UTC)


def _decode_canonical_base64(part: str) -> bytes:
    """Raises: ValueError."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise ValueError("not base64") from None
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise ValueError("not canonical")
    return decoded


def hash_token(token: str) -> str:
    """What is kept of a token: its SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()
