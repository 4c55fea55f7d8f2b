"""Messages to a topic of Firebase Cloud Messaging, which users of the application subscribe to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

import firebase_admin
from firebase_admin import messaging
from firebase_admin.exceptions import FirebaseError
from google.auth.exceptions import GoogleAuthError

from shared.errors import Rejected, Unavailable
from shared.worded import Worded

PERMISSIONS: Final = ("cloudmessaging.messages.create",)
CALL_SECONDS = 10.0
_LATER = frozenset(
    {"UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNKNOWN"}
)
_numbers = itertools.count(1)


class FirebasePush:
    """A Push over one application's project."""

    def __init__(self, project: str, credential: Any = None) -> None:
        """Without a credential, the instance's own."""
        self._project = project
        self._credential = credential

    def tell(self, topic: str, worded: Worded, key: str) -> None:
        """Hand the words to a topic. A device shows the same key once: the newer takes its place.

        Raises: Rejected, Unavailable.
        """
        message = messaging.Message(
            notification=messaging.Notification(worded.subject, worded.body.strip()),
            android=messaging.AndroidConfig(
                notification=messaging.AndroidNotification(tag=key), collapse_key=key
            ),
            apns=messaging.APNSConfig(headers={"apns-collapse-id": key[:64]}),
            topic=topic,
        )
        with _translated():
            messaging.send(message, app=self._app)

    def close(self) -> None:
        """Let go of the connections."""
        if "_app" in self.__dict__:
            firebase_admin.delete_app(self._app)

    @cached_property
    def _app(self) -> Any:
        return firebase_admin.initialize_app(
            self._credential,
            {"projectId": self._project, "httpTimeout": CALL_SECONDS},
            name=f"rollback-push-{next(_numbers)}",
        )


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
