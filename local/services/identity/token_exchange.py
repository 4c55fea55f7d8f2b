"""How clients get access tokens: whatever they show, the token is good; nothing checks it later.

Shapes: https://datatracker.ietf.org/doc/html/rfc6749#section-5, https://cloud.google.com/iam/docs/reference/sts/rest
(read 2026-11).
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from jwt import InvalidTokenError, PyJWS

from shared.core.codec import from_json

ACCESS_TOKEN = "ya29.embedded-cloud"  # noqa: S105 - opens nothing
LIFETIME_SECONDS = 3599
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GRANTS = {"refresh_token", _JWT_BEARER, "urn:ietf:params:oauth:grant-type:token-exchange"}
_ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type


class UnknownGrant(Exception):
    """A grant that is not played, or an assertion that is no JWT."""


def exchange(body: bytes, sign: Callable[[str, str], str]) -> dict[str, Any]:
    """An access token; or an ID token, for an assertion that names an audience.

    Raises: UnknownGrant. `sign` makes the ID token of a service account for an audience.
    """
    asked = dict(parse_qsl(body.decode()))
    if asked.get("grant_type") not in _GRANTS:
        raise UnknownGrant("unsupported_grant_type")
    if asked["grant_type"] == _JWT_BEARER:
        claims = _read_claims(asked.get("assertion", ""))
        if audience := claims.get("target_audience"):
            return {"id_token": sign(str(claims.get("iss", "")), str(audience))}
    return {
        "access_token": ACCESS_TOKEN,
        "issued_token_type": _ACCESS_TOKEN_TYPE,
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS,
    }


def _read_claims(assertion: str) -> dict[str, Any]:
    try:
        payload = PyJWS().decode(assertion, options={"verify_signature": False})
    except InvalidTokenError as error:
        raise UnknownGrant("invalid_grant") from error
    return from_json(payload, dict[str, Any])
