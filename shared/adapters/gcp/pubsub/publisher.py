"""Topics in Pub/Sub."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.pubsub_v1 import types

from shared.adapters.gcp.errors import EFFECT_ERRORS, call_once

PERMISSIONS = ("pubsub.topics.publish",)

_PublishRequest = types.PublishRequest.pb()


@dataclass
class PubSubBus:
    """A Bus over the topics of one project.

    Publishes at once and alone: the batching client would answer from a thread of its own, after
    the instance may have been frozen. A message whose answer was lost may have been kept.
    """

    _client: Any
    _project: str

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        request = _PublishRequest(topic=f"projects/{self._project}/topics/{topic}")
        request.messages.add(data=data, attributes=attributes or {})
        answer = call_once(self._client.publish, request, errors=EFFECT_ERRORS)
        return str(answer.message_ids[0])
