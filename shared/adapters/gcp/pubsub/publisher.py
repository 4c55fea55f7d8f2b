"""Topics in Pub/Sub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.pubsub_v1 import types

from shared.adapters.gcp.errors import EFFECT_ERRORS, translate_errors

PERMISSIONS: Final = ("pubsub.topics.publish",)

PUBLISH_TIMEOUT_SECONDS = 10.0

_PublishRequest = types.PublishRequest.pb()


class PubSubBus:
    """A Bus over the topics of one project.

    Publishes at once and alone: the batching client would answer from a thread of its own, after
    the instance may have been frozen. A message whose answer was lost may have been kept.
    """

    def __init__(self, client: Any, project: str) -> None:
        self._client = client
        self._project = project

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> str:
        request = _PublishRequest(topic=f"projects/{self._project}/topics/{topic}")
        request.messages.add(data=data, attributes=attributes or {})
        with translate_errors(EFFECT_ERRORS):
            answer = self._client.publish(request, retry=None, timeout=PUBLISH_TIMEOUT_SECONDS)
        return str(answer.message_ids[0])
