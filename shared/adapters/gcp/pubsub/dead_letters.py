"""Dead letters, taken out of their subscription and sent once more."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from google.pubsub_v1 import types

from shared.adapters.gcp.errors import EFFECT_ERRORS, READ_ERRORS, StatusErrors, call_once
from shared.core import topics
from shared.core.errors import Rejected, Unavailable
from shared.core.pubsub_message import FIRST_PUBLISHED_AT, earliest_time
from shared.ports.messaging import DeadLetter

PERMISSIONS = ("pubsub.subscriptions.consume", "pubsub.subscriptions.get", "pubsub.topics.publish")

PULL_TIMEOUT_SECONDS = 5.0
"""An empty subscription keeps a pull waiting; no answer in that time: nothing is there."""

NATIVE_ATTRIBUTE_PREFIX = "CloudPubSubDeadLetterSource"
"""Begins the names of the attributes that Pub/Sub itself gives a dead letter
(cloud.google.com/pubsub/docs/handling-failures)."""

OWN_ATTRIBUTES = ("source_topic", "message_id", "reason")
"""The attributes that the responders give a letter, beside what tells its beginnings."""
MAX_HANDLES_PER_REQUEST = 1000
"""So many go into one request: a larger one than 512 KiB is refused, and a handle has up to 200
bytes; Google's own client takes the same number (google-cloud-pubsub, subscriber/_protocol/
dispatcher.py)."""
_AcknowledgeRequest = types.AcknowledgeRequest.pb()
_GetSubscriptionRequest = types.GetSubscriptionRequest.pb()
_ModifyAckDeadlineRequest = types.ModifyAckDeadlineRequest.pb()
_PublishRequest = types.PublishRequest.pb()
_PullRequest = types.PullRequest.pb()


class _NothingThere(Unavailable):
    """No letter came in time."""


_PULL_ERRORS: StatusErrors = {**READ_ERRORS, "DEADLINE_EXCEEDED": _NothingThere}


class PubSubDeadLetters:
    """The dead letters of one project, in the subscription that keeps them."""

    def __init__(self, subscriber: Any, publisher: Any, project: str) -> None:
        self._subscriber = subscriber
        self._publisher = publisher
        self._subscription = f"projects/{project}/subscriptions/{topics.DEAD_LETTER_SUBSCRIPTION}"
        self._sources: dict[str, str] = {}

    def pull(self, limit: int) -> list[DeadLetter]:
        request = _PullRequest(subscription=self._subscription, max_messages=limit)
        try:
            pull = self._subscriber.pull
            answer = call_once(pull, request, errors=_PULL_ERRORS, timeout=PULL_TIMEOUT_SECONDS)
        except _NothingThere:
            return []
        return [self._parse_letter(one) for one in answer.received_messages]

    def resend(self, letter: DeadLetter) -> None:
        request = _PublishRequest(topic=letter.source)
        request.messages.add(data=letter.data, attributes=letter.attributes)
        call_once(self._publisher.publish, request, errors=EFFECT_ERRORS)

    def acknowledge(self, letter: DeadLetter) -> None:
        request = _AcknowledgeRequest(subscription=self._subscription, ack_ids=[letter.handle])
        call_once(self._subscriber.acknowledge, request)

    def release(self, letters: Iterable[DeadLetter]) -> None:
        handles = iter([letter.handle for letter in letters])
        while some := list(islice(handles, MAX_HANDLES_PER_REQUEST)):
            request = _ModifyAckDeadlineRequest(
                subscription=self._subscription, ack_ids=some, ack_deadline_seconds=0
            )
            call_once(self._subscriber.modify_ack_deadline, request)

    def _parse_letter(self, received: Any) -> DeadLetter:
        """Parse by subscription (given up) or topic (refused), not by a publisher's attributes."""
        message = received.message
        said = dict(message.attributes)
        native = {name: said.pop(name) for name in [*said] if name.startswith(NATIVE_ATTRIBUTE_PREFIX)}
        own = {} if native else {name: said.pop(name, "") for name in OWN_ATTRIBUTES}
        attempts = native.get(f"{NATIVE_ATTRIBUTE_PREFIX}DeliveryCount", "")
        since = (said.get(FIRST_PUBLISHED_AT), native.get(f"{NATIVE_ATTRIBUTE_PREFIX}TopicPublishTime"))
        kept_at: datetime = message.publish_time
        return DeadLetter(
            id=own.get("message_id") or message.message_id,
            handle=received.ack_id,
            source=self._source(native) if native else own["source_topic"],
            reason=own.get("reason", f"Pub/Sub gave it up after {attempts} deliveries"),
            data=message.data,
            attributes=said,
            published_at=earliest_time(kept_at, *since) or kept_at,
        )

    def _source(self, native: Mapping[str, str]) -> str:
        """The topic of the subscription that gave a message up; "" when nothing tells."""
        project = native.get(f"{NATIVE_ATTRIBUTE_PREFIX}SubscriptionProject", "")
        name = native.get(f"{NATIVE_ATTRIBUTE_PREFIX}Subscription", "")
        if not (project and name):
            return ""
        subscription = f"projects/{project}/subscriptions/{name}"
        if subscription not in self._sources:
            request = _GetSubscriptionRequest(subscription=subscription)
            try:
                found = call_once(self._subscriber.get_subscription, request)
                self._sources[subscription] = str(found.topic)
            except Rejected:  # it is gone, or not ours to see
                self._sources[subscription] = ""
        return self._sources[subscription]
