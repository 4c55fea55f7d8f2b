"""How Cloud Storage says no: a status, and Google's JSON form of an error.

Form and reasons: cloud.google.com/storage/docs/json_api/v1/status-codes; the words as the service
is quoted in public logs (read 2026-11).
"""

from datetime import datetime
from typing import Any

import msgspec


class Refusal(Exception):
    """The answer is an error."""

    def __init__(self, status: int, reason: str, message: str, location: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self._reason = reason
        self._location = location

    def body(self) -> bytes:
        """The error in JSON; nothing for 304, which has no body."""
        if self.status == 304:
            return b""
        error: dict[str, Any] = {"message": self.message, "domain": "global", "reason": self._reason}
        if self._location:
            error |= {"locationType": "header", "location": self._location}
        whole = {"code": self.status, "message": self.message, "errors": [error]}
        return msgspec.json.encode({"error": whole})


def invalid_request(message: str) -> Refusal:
    """A request that cannot be."""
    return Refusal(400, "invalid", message)


def bucket_not_found() -> Refusal:
    """No such bucket; the service does not repeat its name."""
    return Refusal(404, "notFound", "The specified bucket does not exist.")


def object_not_found(bucket: str, name: str) -> Refusal:
    """No such object, or no such generation of it."""
    return Refusal(404, "notFound", f"No such object: {bucket}/{name}")


def condition_not_met(condition: str) -> Refusal:
    """A precondition that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold."
    return Refusal(412, "conditionNotMet", message, condition)


def not_modified() -> Refusal:
    """A read whose "only if it is another" does not hold."""
    return Refusal(304, "notModified", "Not Modified")


def retention_not_met(bucket: str, name: str, until: datetime) -> Refusal:
    """An object younger than its bucket's retention period."""
    message = (
        f"Object '{bucket}/{name}' is subject to bucket's retention policy or object retention and "
        f"cannot be deleted or overwritten until {until.isoformat()}"
    )
    return Refusal(403, "retentionPolicyNotMet", message)


def object_under_hold(bucket: str, name: str, kind: str) -> Refusal:
    """An object under a temporary or an event-based hold."""
    word = "Temporary" if kind == "temporaryHold" else "Event-Based"
    message = (
        f"Object '{bucket}/{name}' is under active {word} hold and cannot be deleted, "
        "overwritten or archived until hold is removed."
    )
    return Refusal(403, "objectUnderActiveHold", message)


def retention_policy_locked(bucket: str) -> Refusal:
    """Less retention than was locked."""
    message = f"Bucket '{bucket}' has a locked Retention Policy which cannot be removed or reduced."
    return Refusal(403, "forbidden", message)


def bucket_exists() -> Refusal:
    """A bucket of that name exists."""
    message = "Your previous request to create the named bucket succeeded and you already own it."
    return Refusal(409, "conflict", message)


def bucket_not_empty() -> Refusal:
    """A bucket that still has objects, or older generations of them."""
    return Refusal(409, "conflict", "The bucket you tried to delete is not empty.")


def not_public() -> Refusal:
    """A browser's read of what lies outside public/."""
    message = "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object."
    return Refusal(403, "forbidden", message)


def unsupported_call(what: str) -> Refusal:
    """A call, a parameter or a header that the embedded cloud does not play.

    400 and not 501 or 404: Go's client repeats every 5xx for ever, and absent is another thing.
    """
    return Refusal(400, "notImplemented", f"The embedded cloud does not serve {what}.")
