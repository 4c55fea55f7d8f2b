"""Messages of Firebase Cloud Messaging: to a topic that users subscribe to, or to their devices."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import firebase_admin
from firebase_admin import messaging
from firebase_admin.exceptions import FirebaseError, InvalidArgumentError
from google.auth.exceptions import GoogleAuthError

from shared.core.errors import Rejected, Unavailable
from shared.core.lazy import Once
from shared.domain.notices.message import Message
from shared.domain.notices.push_progress import PushFate

PERMISSIONS: Final = ("cloudmessaging.messages.create",)
CALL_SECONDS = 10.0
_LATER = frozenset(
    {"UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNKNOWN"}
)
_NOWHERE = (messaging.UnregisteredError, messaging.SenderIdMismatchError, InvalidArgumentError)
"""The app was removed; the token is another project's; it is none
(https://firebase.google.com/docs/cloud-messaging/error-codes, read 2026-11)."""
_numbers = itertools.count(1)


class FirebasePush:
    """A Push over one application's project."""

    def __init__(self, project: str, credential: Any = None) -> None:
        """Without a credential, the instance's own."""
        self._project = project
        self._credential = credential

    def tell(self, topic: str, worded: Message, key: str) -> None:
        """Hand the words to a topic. A device shows the same key once: the newer takes its place.

        Raises: Rejected, Unavailable.
        """
        with _translated():
            messaging.send(_message(worded, key, topic=topic), app=self._app)

    def tell_each(self, tokens: Sequence[str], worded: Message, key: str) -> list[PushFate]:
        """Hand the words to each of at most 500 devices, in order; no error names one.

        Raises: Rejected, when each is refused for a reason other than its token; Unavailable, when
        none gave an answer.
        """
        if not tokens:
            return []
        messages = [_message(worded, key, token=token) for token in tokens]
        with _translated():
            answers = messaging.send_each(messages, app=self._app).responses
            fates = [_fate(one.exception) for one in answers]
            if {*fates} in ({PushFate.REFUSED}, {PushFate.NONE}):
                raise answers[0].exception
        return fates

    def close(self) -> None:
        """Let go of the connections."""
        if "_app" in self.__dict__:
            firebase_admin.delete_app(self._app)

    @Once
    def _app(self) -> Any:
        return firebase_admin.initialize_app(
            self._credential,
            {"projectId": self._project, "httpTimeout": CALL_SECONDS},
            name=f"rollback-push-{next(_numbers)}",
        )


def _message(worded: Message, key: str, **to: str) -> Any:
    return messaging.Message(
        notification=messaging.Notification(worded.subject, worded.body.strip()),
        android=messaging.AndroidConfig(
            notification=messaging.AndroidNotification(tag=key), collapse_key=key
        ),
        apns=messaging.APNSConfig(headers={"apns-collapse-id": key[:64]}),
        **to,
    )


def _fate(refusal: FirebaseError | None) -> PushFate:
    if refusal is None:
        return PushFate.TAKEN
    if isinstance(refusal, _NOWHERE):
        return PushFate.GONE
    return PushFate.NONE if refusal.code in _LATER else PushFate.REFUSED


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FirebaseError as error:
        kind = Unavailable if error.code in _LATER else Rejected
        raise kind(f"push: {error.code}") from error
    except (GoogleAuthError, ValueError) as error:
        kind = Unavailable if isinstance(error, GoogleAuthError) else Rejected
        raise kind(f"push: {type(error).__name__}") from error
