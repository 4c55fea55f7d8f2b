"""What a topic is and which messages it takes.

Limits: https://cloud.google.com/pubsub/quotas#resource_limits (read 2026-11).
"""

from datetime import timedelta

from google.protobuf.field_mask_pb2 import FieldMask

from local.services.pubsub import masks, names
from local.services.pubsub.durations import check_within
from local.services.pubsub.messages import PublishRequest, PubsubMessage, Topic, copy_resource
from local.services.pubsub.statuses import invalid_argument, unimplemented

REQUEST_LIMIT_BYTES = 10_000_000
REQUEST_LIMIT_MESSAGES = 1000
ATTRIBUTES_LIMIT = 100
ATTRIBUTE_KEY_LIMIT_BYTES = 256
ATTRIBUTE_VALUE_LIMIT_BYTES = 1024
ORDERING_KEY_LIMIT_BYTES = 1024
MIN_RETENTION = timedelta(minutes=10)
MAX_RETENTION = timedelta(days=31)

_MUTABLE = (
    "labels",
    "message_storage_policy",
    "kms_key_name",
    "schema_settings",
    "message_retention_duration",
    "ingestion_data_source_settings",
    "message_transforms",
)


def build_topic(request: Topic) -> Topic:
    """The topic that a request creates, its output fields filled in.

    Raises: Refused INVALID_ARGUMENT, or UNIMPLEMENTED for ingestion and transforms.
    """
    topic = copy_resource(request)
    names.require_resource_name(topic.name, "topics")
    topic.state = Topic.State.ACTIVE
    _check_topic(topic)
    return topic


def update_topic(topic: Topic, change: Topic, mask: FieldMask) -> Topic:
    """The topic with the masked fields of `change`.

    Raises: Refused INVALID_ARGUMENT, or UNIMPLEMENTED as in `build_topic`.
    """
    merged = masks.merge_masked_fields(topic, change, mask, _MUTABLE)
    _check_topic(merged)
    return merged


def retention(topic: Topic) -> timedelta:
    """How long the topic keeps messages for its subscriptions to seek to; zero: not at all."""
    duration: timedelta = topic.message_retention_duration.ToTimedelta()
    return duration


def check_publish(request: PublishRequest) -> None:
    """Nothing, once every message of the request may be published.

    Raises: Refused INVALID_ARGUMENT.
    """
    if request.ByteSize() > REQUEST_LIMIT_BYTES:
        raise invalid_argument(f"The value for request_size is too large: over {REQUEST_LIMIT_BYTES} bytes.")
    if not 0 < len(request.messages) <= REQUEST_LIMIT_MESSAGES:
        raise invalid_argument(f"A request publishes 1 to {REQUEST_LIMIT_MESSAGES} messages.")
    for message in request.messages:
        _check_message(message)


def _check_topic(topic: Topic) -> None:
    if topic.HasField("ingestion_data_source_settings") or topic.message_transforms:
        raise unimplemented("Ingestion and transforms of topics are not served here.")
    if topic.HasField("schema_settings") and not topic.schema_settings.encoding:
        raise invalid_argument("schema_settings needs an encoding.")
    if topic.HasField("message_retention_duration"):
        check_within(
            topic.message_retention_duration, MIN_RETENTION, MAX_RETENTION, "message_retention_duration"
        )


def _check_message(message: PubsubMessage) -> None:
    if not message.data and not message.attributes:
        raise invalid_argument("One or more messages in the publish request is empty.")
    if len(message.attributes) > ATTRIBUTES_LIMIT:
        raise invalid_argument(f"A message has at most {ATTRIBUTES_LIMIT} attributes.")
    if len(message.ordering_key.encode()) > ORDERING_KEY_LIMIT_BYTES:
        raise invalid_argument(f"An ordering key has at most {ORDERING_KEY_LIMIT_BYTES} bytes.")
    for key, value in message.attributes.items():
        _check_attribute(key, value)


def _check_attribute(key: str, value: str) -> None:
    if not 0 < len(key.encode()) <= ATTRIBUTE_KEY_LIMIT_BYTES or key.startswith("goog"):
        raise invalid_argument(
            f"An attribute's key has 1 to {ATTRIBUTE_KEY_LIMIT_BYTES} bytes and does not begin"
            f" with 'goog': {key!r}"
        )
    if len(value.encode()) > ATTRIBUTE_VALUE_LIMIT_BYTES:
        raise invalid_argument(
            f"An attribute's value has at most {ATTRIBUTE_VALUE_LIMIT_BYTES} bytes (key={key})."
        )
