"""A subscription of a test's own to one topic of an embedded cloud."""

import grpc
import pytest
from google.cloud import pubsub_v1
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local.cloud import Cloud


class Mailbox:
    """A subscription to one topic, emptied on request."""

    def __init__(self, cloud: Cloud, topic: str) -> None:
        self._channel = grpc.insecure_channel(cloud.addresses["pubsub"])
        self._client = pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))
        self._name = f"projects/shop/subscriptions/{topic}-test"
        request = {"name": self._name, "topic": f"projects/shop/topics/{topic}"}
        self._client.create_subscription(request=request)

    def empty(self) -> list[bytes]:
        """Everything that was published since; nothing is waited for."""
        found: list[bytes] = []
        while True:
            request = pubsub_v1.types.PullRequest(
                subscription=self._name, max_messages=100, return_immediately=True
            )
            with pytest.warns(DeprecationWarning, match="return_immediately"):
                received = self._client.pull(request=request).received_messages
            if not received:
                return found
            found += [one.message.data for one in received]
            self._client.acknowledge(subscription=self._name, ack_ids=[one.ack_id for one in received])

    def close(self) -> None:
        self._client.close()
