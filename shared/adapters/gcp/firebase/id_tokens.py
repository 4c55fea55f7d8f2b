"""Identity over Firebase Authentication and Google's service accounts: who signed this token?"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from json import JSONDecodeError
from typing import Any

import cachecontrol
import firebase_admin
import requests
from firebase_admin import auth
from firebase_admin.exceptions import FirebaseError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from shared.core.errors import Rejected, Unavailable
from shared.core.lazy import LockedCachedProperty
from shared.domain.commands import credential
from shared.domain.commands.console_operator import OperatorAccount
from shared.domain.policy.operator_identity import Role

PERMISSIONS = ("firebaseauth.users.get",)
"""In the identity project: the user is looked up, for revocation and for the role of now."""

CALL_TIMEOUT_SECONDS = 10.0
ISSUER_CLOCK_SKEW_SECONDS = 10
"""So far may our clock be behind the issuer's (firebase-admin takes up to 60)."""
_numbers = itertools.count(1)


@dataclass
class GoogleIdentity:
    """Verifies ID tokens of one identity project's people, and of any service account.

    Keys are fetched when they are first needed and kept as long as their answer says. What a
    library says of a token may quote it, so no word of theirs is passed on. `anonymous`: an
    embedded cloud asks for no credentials; firebase-admin finds it by HTTPS_PROXY.
    """

    _project: str
    anonymous: bool = False

    def verify(self, token: str) -> credential.Credential:
        if credential.claimed_credential_kind(token, self._project) is credential.CredentialKind.SERVICE:
            # Its audience is the hash of a command: whoever knows the command judges it.
            with _translate_errors():
                claims = id_token.verify_token(
                    token, self._fetch, clock_skew_in_seconds=ISSUER_CLOCK_SKEW_SECONDS
                )
            return credential.service_account_credential(claims, token)
        with _translate_errors():
            claims = auth.verify_id_token(
                token, self._app, check_revoked=True, clock_skew_seconds=ISSUER_CLOCK_SKEW_SECONDS
            )
        return credential.person_credential(claims, token)

    def look_up(self, subject: str) -> OperatorAccount:
        with _translate_errors():
            user = auth.get_user(subject, self._app)
        if user.disabled:
            raise Rejected("the user is disabled")
        since = datetime.fromtimestamp(user.tokens_valid_after_timestamp / 1000, UTC)
        return OperatorAccount(Role.from_name((user.custom_claims or {}).get(credential.ROLE_CLAIM)), since)

    def close(self) -> None:
        if "_app" in self.__dict__:
            firebase_admin.delete_app(self._app)
        if "_session" in self.__dict__:
            self._session.close()

    @LockedCachedProperty
    def _app(self) -> Any:
        """An app of our own: others of the process keep theirs."""
        return firebase_admin.initialize_app(
            AnonymousCredentials() if self.anonymous else None,
            {"projectId": self._project, "httpTimeout": CALL_TIMEOUT_SECONDS},
            name=f"rollback-identity-{next(_numbers)}",
        )

    @LockedCachedProperty
    def _session(self) -> Any:
        return cachecontrol.CacheControl(requests.Session())

    @LockedCachedProperty
    def _fetch(self) -> Callable[..., Any]:
        """How certificates are fetched: cached as HTTP says, and within a deadline."""
        return partial(Request(session=self._session), timeout=CALL_TIMEOUT_SECONDS)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """The body, with what Google's libraries raise as what it means here, in words of ours."""
    try:
        yield
    except (auth.ExpiredIdTokenError, auth.RevokedIdTokenError) as error:
        expired = isinstance(error, auth.ExpiredIdTokenError)
        raise Rejected("the token has expired" if expired else "the token was revoked") from None
    except auth.UserDisabledError:
        raise Rejected("the user is disabled") from None
    except auth.UserNotFoundError:
        raise Rejected("the user does not exist") from None
    except (auth.CertificateFetchError, TransportError, requests.RequestException) as error:
        raise Unavailable(f"identity: no answer ({type(error).__name__})") from None
    except auth.InvalidIdTokenError as error:
        raise _verification_error(error.cause or error) from None
    except FirebaseError as error:
        raise Unavailable(f"identity: the user lookup answers {error.code}") from None
    except (ValueError, TypeError) as error:  # GoogleAuthError of a bad token is a ValueError
        raise _verification_error(error) from None
    except GoogleAuthError as error:
        raise Unavailable(f"identity: no credentials ({type(error).__name__})") from None


def _verification_error(error: Exception) -> Rejected | Unavailable:
    """What a failed verification means; google.auth.jwt tells by its words alone (2.63.0)."""
    if isinstance(error, JSONDecodeError):  # the token was read before: these are the certificates
        return Unavailable("identity: the certificates are not readable")
    text = str(error)
    if "Token expired" in text:
        return Rejected("the token has expired")
    if "used too early" in text:
        return Rejected("the token was issued in the future")
    return Rejected("the token's signature is not valid")
