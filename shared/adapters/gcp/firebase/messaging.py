"""Messages of Firebase Cloud Messaging: to a topic that users subscribe to, or to their devices."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import firebase_admin
from firebase_admin import messaging
from firebase_admin.exceptions import FirebaseError, InvalidArgumentError
from google.auth.exceptions import GoogleAuthError

from shared.core.errors import Rejected, Unavailable
from shared.core.lazy import LockedCachedProperty
from shared.domain.notices.message import NoticeMessage
from shared.domain.notices.push_progress import PushResult

PERMISSIONS = ("cloudmessaging.messages.create",)
CALL_TIMEOUT_SECONDS = 10.0
_RETRYABLE_CODES = frozenset(
    {"UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNKNOWN"}
)
_INVALID_TOKEN_ERRORS = (messaging.UnregisteredError, messaging.SenderIdMismatchError, InvalidArgumentError)
"""The app was removed; the token is another project's; it is none
(https://firebase.google.com/docs/cloud-messaging/error-codes, read 2026-11)."""
_numbers = itertools.count(1)


@dataclass
class FirebasePush:
    """A PushChannel over one application's project."""

    _project: str
    _credential: Any = None
    """None: the instance's own."""

    def send_to_topic(self, topic: str, worded: NoticeMessage, key: str) -> None:
        """Send to a topic; a text replaces one of the same key. Raises: Rejected, Unavailable."""
        with _translate_errors():
            messaging.send(_message(worded, key, topic=topic), app=self._app)

    def send_to_devices(self, tokens: Sequence[str], worded: NoticeMessage, key: str) -> list[PushResult]:
        """Hand the words to each of at most 500 devices, in order; no error names one.

        Raises: Rejected, when each is refused for a reason other than its token; Unavailable, when
        none gave an answer.
        """
        if not tokens:
            return []
        messages = [_message(worded, key, token=token) for token in tokens]
        with _translate_errors():
            answers = messaging.send_each(messages, app=self._app).responses
            fates = [_push_result(one.exception) for one in answers]
            if {*fates} in ({PushResult.REFUSED}, {PushResult.NONE}):
                raise answers[0].exception
        return fates

    def close(self) -> None:
        if "_app" in self.__dict__:
            firebase_admin.delete_app(self._app)

    @LockedCachedProperty
    def _app(self) -> Any:
        return firebase_admin.initialize_app(
            self._credential,
            {"projectId": self._project, "httpTimeout": CALL_TIMEOUT_SECONDS},
            name=f"rollback-push-{next(_numbers)}",
        )


def _message(worded: NoticeMessage, key: str, **to: str) -> Any:
    return messaging.Message(
        notification=messaging.Notification(worded.subject, worded.body.strip()),
        android=messaging.AndroidConfig(
            notification=messaging.AndroidNotification(tag=key), collapse_key=key
        ),
        apns=messaging.APNSConfig(headers={"apns-collapse-id": key[:64]}),
        **to,
    )


def _push_result(refusal: FirebaseError | None) -> PushResult:
    if refusal is None:
        return PushResult.TAKEN
    if isinstance(refusal, _INVALID_TOKEN_ERRORS):
        return PushResult.GONE
    return PushResult.NONE if refusal.code in _RETRYABLE_CODES else PushResult.REFUSED


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except FirebaseError as error:
        kind = Unavailable if error.code in _RETRYABLE_CODES else Rejected
        raise kind(f"push: {error.code}") from error
    except (GoogleAuthError, ValueError) as error:
        kind = Unavailable if isinstance(error, GoogleAuthError) else Rejected
        raise kind(f"push: {type(error).__name__}") from error
