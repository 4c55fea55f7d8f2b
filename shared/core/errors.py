"""Everything that can go wrong, by what the caller must do about it.

RollbackError
├── BadConfiguration   settings or a policy are wrong: nothing starts
├── Refused            a message that nobody could act on: dead letter, acknowledge
├── Rejected           a service answered no: do not ask again
├── Moved              the world is not what the precondition said: look and decide again
│   └── Exists         a document that was to be created is there already
└── Unavailable        no answer: nothing is known, ask again later (redelivery)
    ├── Ambiguous      it may have taken effect
    └── Throttled      it has taken no effect, and says when to come back

LostRollback           (a BaseException) another worker holds the rollback: do nothing more
"""

from datetime import timedelta

from shared.core.redaction import redact_personal_data, redact_secrets


class RollbackError(Exception):
    """Any failure that the product knows by name; its text has no secrets, whoever it quotes."""

    def __init__(self, text: str = "") -> None:
        super().__init__(redact_secrets(text))


class BadConfiguration(RollbackError):
    """Settings or policy files are unusable; `faults` lists every reason, one line each."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(map(redact_secrets, faults))


class Refused(RollbackError):
    """A message that cannot be acted on, however often it comes; `reason` is said to people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = str(self)


class Rejected(RollbackError):
    """A service understood the call and answered no: not found, not permitted, not valid."""

    def __init__(self, text: str = "") -> None:
        super().__init__(redact_personal_data(text))


class Gone(Rejected):
    """There is nothing of that name (any more)."""


class Moved(RollbackError):
    """A precondition did not hold: somebody, perhaps ourselves, wrote since we read."""


class Exists(Moved):
    """A create found its document in place; it may be our own, from a lost answer."""


class Unavailable(RollbackError):
    """A service gave no answer; whatever was asked is unknown."""

    def __init__(self, text: str = "") -> None:
        super().__init__(redact_personal_data(text))


class Ambiguous(Unavailable):
    """A write's answer was lost: it may or may not have taken effect."""


class Throttled(Unavailable):
    """A service refused for load, without effect; `retry_after` is its advice."""

    def __init__(self, message: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LostRollback(BaseException):
    """This worker is not the holder any more. Nothing that handles errors may catch it."""
