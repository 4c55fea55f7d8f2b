"""What is published of a document that has changed: a CloudEvent in a message of Pub/Sub.

Attributes as Eventarc sends them: googleapis/functions-framework-nodejs,
test/integration/pubsub_binding.ts. Data: `google.events.cloud.firestore.v1.DocumentEventData`
(googleapis/google-cloudevents proto/google/events/cloud/firestore/v1/data.proto), whose documents
and masks have the numbers of those of google.firestore.v1 (all read 2026-11-27).
"""

import io
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Final

from google.protobuf.message import Message
from google.protobuf.proto import serialize_length_prefixed
from msgspec import Struct

from local.core.resource_store import written_time
from local.services.firestore.data.field_paths import format_field_path
from local.services.firestore.messages import Document, DocumentMask, Value
from local.services.firestore.timeline import to_timestamp
from local.services.pubsub.messages import PubsubMessage

EVENT_TYPE_PREFIX: Final = "google.cloud.firestore.document.v1."
AUTH_CONTEXT_SUFFIX: Final = ".withAuthContext"
WRITTEN_EVENT_TYPE: Final = f"{EVENT_TYPE_PREFIX}written"

_SCHEMA: Final = (
    "https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/"
    "firestore/v1/data.proto"
)
_PROTOBUF: Final = "application/protobuf"
_LENGTH_DELIMITED: Final = 2
"""The wire type of a message within a message."""


class DocumentCommitChange(Struct, frozen=True):
    """A document before and after a commit, which came at so many microseconds."""

    name: str
    before: Document | None
    after: Document | None
    time: int

    @property
    def type(self) -> str:
        """What has happened to it."""
        if self.before is None:
            return f"{EVENT_TYPE_PREFIX}created"
        return f"{EVENT_TYPE_PREFIX}updated" if self.after is not None else f"{EVENT_TYPE_PREFIX}deleted"

    def attributes(self) -> dict[str, str]:
        """What triggers filter by, but for the type."""
        _, project, _, database, _, path = self.name.split("/", 5)
        return {"project": project, "database": database, "namespace": "(default)", "document": path}


def build_event_message(change: DocumentCommitChange, trigger: str, event_type: str) -> PubsubMessage:
    """The event for one trigger; sent again, it has the same id."""
    location = trigger.split("/")[3]
    attributes = {**change.attributes(), "location": location}
    event = {
        **attributes,
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{trigger} {change.name} {change.time}")),
        "source": f"//firestore.googleapis.com/{change.name.partition('/documents/')[0]}",
        "specversion": "1.0",
        "type": event_type,
        "time": written_time(to_timestamp(change.time).ToDatetime(UTC)),
        "subject": f"documents/{attributes['document']}",
        "dataschema": _SCHEMA,
        "datacontenttype": _PROTOBUF,
        # Nobody who writes here says who it is.
        **({"authtype": "unknown", "authid": ""} if event_type.endswith(AUTH_CONTEXT_SUFFIX) else {}),
    }
    return PubsubMessage(
        data=_encode_event(change),
        attributes={"content-type": _PROTOBUF, **{f"ce-{name}": value for name, value in event.items()}},
    )


def _encode_event(change: DocumentCommitChange) -> bytes:
    parts: dict[int, Message | None] = {1: change.after, 2: change.before, 3: _mask(change)}
    data = io.BytesIO()
    for number, part in parts.items():
        if part is not None:
            data.write(bytes([number << 3 | _LENGTH_DELIMITED]))
            serialize_length_prefixed(part, data)
    return data.getvalue()


def _mask(change: DocumentCommitChange) -> Message | None:
    """The paths of the fields that an update has changed; None of what is no update."""
    if change.before is None or change.after is None:
        return None
    return DocumentMask(field_paths=sorted(_changed_paths(change.before.fields, change.after.fields)))


def _changed_paths(
    before: Mapping[str, Value], after: Mapping[str, Value], above: tuple[str, ...] = ()
) -> Iterator[str]:
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old is not None and new is not None:
            if _encode_value(old) == _encode_value(new):
                continue
            if old.HasField("map_value") and new.HasField("map_value"):
                yield from _changed_paths(old.map_value.fields, new.map_value.fields, (*above, name))
                continue
        yield format_field_path((*above, name))


def _encode_value(value: Value) -> bytes:
    stored: bytes = value.SerializeToString(deterministic=True)
    return stored
