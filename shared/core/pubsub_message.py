"""What a request brings: one Pub/Sub message, in whichever envelope it was sent.

Three envelopes carry the same message: a CloudEvent in binary mode (headers `ce-*`, what Eventarc
sends), a structured CloudEvent (`application/cloudevents+json`), and the plain push of a Pub/Sub
subscription. Shapes: github.com/googleapis/google-cloudevents (google.events.cloud.pubsub.v1) and
cloud.google.com/pubsub/docs/push.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from shared.core.codec import FrozenStruct, JsonObject, read_object
from shared.core.errors import Refused

MAX_REQUEST_BYTES = 14 * 1024 * 1024
"""A message of 10 MB, the largest that Pub/Sub takes (cloud.google.com/pubsub/quotas), in base64,
with its attributes."""

PUBLISHED_EVENT_TYPE = "google.cloud.pubsub.topic.v1.messagePublished"

REPLAYED_FROM = "replayed_from"
"""The attribute by which a message that comes back names the one that it was at first."""
FIRST_PUBLISHED_AT = "first_published_at"
"""The attribute by which it says since when it has been on its way."""
MESSAGE_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""An id of a message that may be part of a document's name; Pub/Sub's own are digits."""

EARLIEST_TIME = datetime(2008, 4, 7, tzinfo=UTC)
"""Nothing ran on Google Cloud before App Engine's first day: an earlier time is an unset one."""

_TOPIC = re.compile(r"projects/[a-zA-Z0-9.:-]{1,100}/topics/[a-zA-Z0-9._~+%-]{1,255}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


class PubSubMessage(FrozenStruct):
    """One Pub/Sub message as delivered; absent text is ""."""

    id: str
    topic: str
    """`projects/P/topics/T`, as the request says it: `responders.support.push_authentication`
    compares it with the topics of the entry point."""
    data: bytes
    attributes: dict[str, str]
    published_at: datetime | None
    subscription: str = ""
    """`projects/P/subscriptions/S`, as the envelope says it."""

    @property
    def topic_name(self) -> str:
        """The topic's own name, without its project."""
        return self.topic.rpartition("/")[2]

    @property
    def first_id(self) -> str:
        """The id under which it was first published, which is its own unless it was replayed.

        Whoever publishes may claim any: what it names is done once, and nobody is proven by it.
        """
        claimed = self.attributes.get(REPLAYED_FROM, "")
        return claimed if MESSAGE_ID_PATTERN.fullmatch(claimed) else self.id

    @property
    def first_published_at(self) -> datetime | None:
        """Since when it is on its way: what is replayed is as old as it was, and never younger.

        Whoever publishes may claim an earlier time: it counts where being late stops something.
        """
        return earliest_time(self.published_at, self.attributes.get(FIRST_PUBLISHED_AT))


class PushIdentity(FrozenStruct):
    """What a push from our own subscriptions carries."""

    projects: tuple[str, ...]
    """The operations project, then those of the applications: their topics of alerts count, too."""
    account: str
    """The service account of its token."""
    audience: str
    """The audience of its token, with `{function}` for the name of the function."""
    deployed: bool
    """Whether Cloud Run verifies the token before this process receives the push."""


class Undecodable(Refused):
    """A request that holds no message; what could be read of it still goes with the dead letter."""

    def __init__(self, reason: str, message_id: str = "", topic: str = "") -> None:
        super().__init__(reason)
        self.message_id = message_id
        self.topic = topic


def decode_message(headers: Mapping[str, str], body: bytes, path: str = "") -> PubSubMessage:
    """The message that a request brings.

    `path` is the request's own, with its query: a push subscription names its topic there, because
    a plain push does not say it.

    Raises: Undecodable (a Refused) with the reason, and the id and the topic so far read.
    """
    known = _Origin({name.lower(): value for name, value in headers.items()}, path)
    try:
        return _message(known, known.unwrap_event(read_object(body, MAX_REQUEST_BYTES)))
    except Refused as error:
        raise Undecodable(error.reason, known.id, known.topic) from error


def earliest_time(*times: datetime | str | None) -> datetime | None:
    """The first of some times after `EARLIEST_TIME`, written ones in RFC 3339; None without one."""
    known = list[datetime]()
    for one in times:
        with suppress(Refused):
            known += filter(None, [one if isinstance(one, datetime) else _time(one)])
    return min((one for one in known if one > EARLIEST_TIME), default=None)


class _Origin:
    """What is known so far of where a message comes from; grows while its envelopes are opened."""

    def __init__(self, headers: Mapping[str, str], path: str) -> None:
        self._headers = headers
        self.id = headers.get("ce-id", "")
        self.topic = _topic(headers.get("ce-source", "")) or _topic(unquote(path))
        self.time: Any = headers.get("ce-time")

    def unwrap_event(self, document: JsonObject) -> JsonObject:
        """Return the object with `message`, unwrapped if need be. Raises: Refused (type, data)."""
        if "specversion" not in document:
            self._expect(self._headers.get("ce-type", PUBLISHED_EVENT_TYPE))
            return document
        self.id = _text(document, "id") or self.id
        self.topic = _topic(_text(document, "source")) or self.topic
        self.time = document.get("time", self.time)
        self._expect(document.get("type"))
        if isinstance(document.get("data_base64"), str):
            return read_object(_decode_base64(document["data_base64"], "data_base64"), MAX_REQUEST_BYTES)
        if not isinstance(document.get("data"), dict):
            raise Refused("the event holds no data object")
        inner: JsonObject = document["data"]
        return inner

    def _expect(self, event_type: object) -> None:
        if event_type != PUBLISHED_EVENT_TYPE:
            raise Refused(f"an event of type {_format_value(event_type)}, not {PUBLISHED_EVENT_TYPE}")


def _message(origin: _Origin, content: JsonObject) -> PubSubMessage:
    message = content.get("message")
    if not isinstance(message, dict):
        raise Refused("no message in it")
    origin.id = _text(message, "messageId", "message_id") or origin.id
    attributes = _attributes(message.get("attributes"))
    published = _first_present(message, "publishTime", "publish_time")
    return PubSubMessage(
        id=origin.id,
        topic=origin.topic,
        data=_decode_base64(message.get("data"), "data"),
        attributes=attributes,
        published_at=_time(origin.time if published is None else published),
        subscription=_text(content, "subscription"),
    )


def _topic(source: str) -> str:
    match = _TOPIC.search(source)
    return match[0] if match else ""


def _first_present(holder: Mapping[str, Any], *names: str) -> Any:
    return next((holder[name] for name in names if holder.get(name) is not None), None)


def _text(holder: Mapping[str, Any], *names: str) -> str:
    value = _first_present(holder, *names)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number or isinstance(value, str) else ""


def _attributes(attributes: object) -> dict[str, str]:
    if attributes is None:
        return {}
    if not isinstance(attributes, dict):
        raise Refused("attributes are not an object")
    for name, value in attributes.items():
        if not isinstance(value, str):
            raise Refused(f"attribute {name[:80]!r} is not text")
    return dict(attributes)


def _decode_base64(value: object, name: str) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise Refused(f"{name} is not text")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"{name} is not base64: {error}") from error


def _time(value: object) -> datetime | None:
    """Return an RFC 3339 time in UTC to the microsecond, or None. Raises: Refused for others."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise Refused(f"publishTime {_format_value(value)} is not a time")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(f"publishTime {_format_value(value)} is not a time") from error


def _format_value(value: object) -> str:
    """A value as it is said in a reason; of what is no text, only its kind."""
    return repr(value[:80]) if isinstance(value, str) else type(value).__name__
