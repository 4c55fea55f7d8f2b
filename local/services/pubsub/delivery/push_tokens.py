"""The OpenID Connect tokens that push requests carry, signed by a key of this process."""

import base64
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.auth.crypt import RSASigner

ISSUER = "https://accounts.google.com"
TOKEN_LIFETIME = timedelta(hours=1)
KEY_ID = "embedded-cloud"


TokenSigner = Callable[[str, str, datetime], str]
"""Signs a token for a service account and an audience."""


class TokenIssuer:
    """Signs RS256 tokens as Google does for push.

    Claims: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions (read 2026-11).
    """

    def __init__(self, sign: TokenSigner | None = None) -> None:
        """`sign`: whose keys the verifiers of the embedded cloud fetch; None: a key of its own."""
        self._sign_token = sign or self._sign
        self._lock = threading.Lock()
        self._key: rsa.RSAPrivateKey | None = None
        self._tokens: dict[tuple[str, str], tuple[str, datetime]] = {}

    def token(self, email: str, audience: str, now: datetime) -> str:
        """A token for a service account and an audience, valid for half its lifetime at least."""
        with self._lock:
            token, renew_at = self._tokens.get((email, audience), ("", now))
            if renew_at <= now:
                token = self._sign_token(email, audience, now)
                self._tokens[email, audience] = token, now + TOKEN_LIFETIME / 2
            return token

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        with self._lock:
            numbers = self._private_key().public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": KEY_ID,
                    "n": _encode_number(numbers.n),
                    "e": _encode_number(numbers.e),
                }
            ]
        }

    def _sign(self, email: str, audience: str, now: datetime) -> str:
        issued_at = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "azp": email,
            "sub": email,
            "email": email,
            "email_verified": True,
            "iat": issued_at,
            "exp": issued_at + int(TOKEN_LIFETIME.total_seconds()),
        }
        signed: bytes = jwt.encode(RSASigner(self._private_key(), key_id=KEY_ID), claims)
        return signed.decode()

    def _private_key(self) -> rsa.RSAPrivateKey:
        """Made when first needed: it takes about a tenth of a second."""
        if self._key is None:
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self._key


def _encode_number(number: int) -> str:
    encoded = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()
