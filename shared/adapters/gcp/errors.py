"""What a status of Google's means to the caller: vendor exceptions become ours here only."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.rpc.error_details_pb2 import RetryInfo

from shared.core.errors import Ambiguous, Exists, Gone, Moved, Rejected, RollbackError, Throttled, Unavailable

READ_TIMEOUT_SECONDS = 10.0
"""Deadline of each call that states no other. The clients' own are 60 to 300 s, or none at all."""


class Contended(Throttled):
    """Others were at the same documents; nothing was done."""


StatusErrors = Mapping[str, type[RollbackError]]
"""Status name to our error; a status that is absent means Rejected."""

_NO_ANSWER = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED")

READ_ERRORS: StatusErrors = {
    **dict.fromkeys(_NO_ANSWER, Unavailable),
    "ABORTED": Contended,
    "RESOURCE_EXHAUSTED": Throttled,
    "NOT_FOUND": Gone,
}
EFFECT_ERRORS: StatusErrors = {**READ_ERRORS, **dict.fromkeys(_NO_ANSWER, Ambiguous)}
CREATE_ERRORS: StatusErrors = {**EFFECT_ERRORS, "ALREADY_EXISTS": Exists}
COMMIT_ERRORS: StatusErrors = {**CREATE_ERRORS, "FAILED_PRECONDITION": Moved, "NOT_FOUND": Moved}
SHIFT_ERRORS: StatusErrors = {**EFFECT_ERRORS, "ABORTED": Moved, "FAILED_PRECONDITION": Moved}
"""Which of the two a stale etag gets is not documented."""

BUILD_ERRORS: StatusErrors = {
    **EFFECT_ERRORS,
    **dict.fromkeys(("ABORTED", "ALREADY_EXISTS", "FAILED_PRECONDITION", "NOT_FOUND"), Moved),
}
"""Which of them a function gets that somebody else deploys meanwhile is not documented."""


RECHECKED_EFFECT_ERRORS: StatusErrors = {**SHIFT_ERRORS, "ALREADY_EXISTS": Exists}
"""Of effects whose refusal may be our own doing: the next look tells."""


@contextmanager
def translate_errors(meanings: StatusErrors = READ_ERRORS) -> Iterator[None]:
    """The body, with each status raised as what it means; none: no answer of the service."""
    try:
        yield
    except GoogleAPICallError as error:
        status = error.grpc_status_code.name if error.grpc_status_code else "UNKNOWN"
        advice = [detail for detail in error.details if isinstance(detail, RetryInfo)]
        delay = advice[0].retry_delay.ToTimedelta() if advice else None
        raise error_for_status(status, f"{status}: {error.message}", delay, meanings) from error


def call_once(
    call: Any,
    *request: Any,
    errors: StatusErrors = READ_ERRORS,
    timeout: float = READ_TIMEOUT_SECONDS,
    **more: Any,
) -> Any:
    """The answer to a call of a generated client, sent once: the client's own retries are off."""
    with translate_errors(errors):
        return call(*request, **more, retry=None, timeout=timeout)


def error_for_status(
    status: str, message: str, delay: timedelta | None, meanings: StatusErrors
) -> RollbackError:
    """Our error for a status by its name; `delay` is the service's advice when to come back."""
    kind = meanings.get(status, Rejected)
    if issubclass(kind, Throttled) and delay is not None:
        return kind(message, delay)
    return kind(message)
