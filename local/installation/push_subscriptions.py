"""How messages reach the responders: a push subscription of its own for each topic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import grpc
from google.api_core.exceptions import AlreadyExists
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1 import types as pubsub_types
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from local.installation.provisioning import push_account, push_audience
from shared.core import topics

CALL_TIMEOUT_SECONDS = 10.0


class CloudAddresses(Protocol):
    """An embedded cloud, in this process or in another."""

    @property
    def home(self) -> str:
        """The operations project."""
        ...

    @property
    def projects(self) -> Sequence[str]:
        """Every project that has the topics."""
        ...

    @property
    def addresses(self) -> Mapping[str, str]:
        """`127.0.0.1:port` by service."""
        ...


def subscribe(cloud: CloudAddresses, addresses: Mapping[str, str]) -> None:
    """Have each topic pushed to the entry point that listens at its address.

    Everything is in the operations project, but for alerts: every protected project's count. A
    subscription that a journal has brought back gets the new address.
    """
    create_dead_letter_subscription(cloud)
    _create_or_update(cloud, _build_push_subscriptions(cloud, addresses))


def create_dead_letter_subscription(cloud: CloudAddresses) -> None:
    """Have dead letters kept until a person takes them out."""
    letters = {
        "name": f"projects/{cloud.home}/subscriptions/{topics.DEAD_LETTER_SUBSCRIPTION}",
        "topic": f"projects/{cloud.home}/topics/{topics.DEAD_LETTERS}",
        "ack_deadline_seconds": int(topics.ACK_DEADLINE.total_seconds()),
        "message_retention_duration": topics.DEAD_LETTER_RETENTION,
        "expiration_policy": {},  # present and empty: never
    }
    _create_or_update(cloud, [letters])


def _build_push_subscriptions(
    cloud: CloudAddresses, addresses: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    pairs = ((name, topic) for name, several in topics.ENTRY_POINTS.items() for topic in several)
    for entry_point, topic in pairs:
        first, longest = topics.backoff(topic)
        function = topics.deployed_function(entry_point)
        for project in cloud.projects if topic == topics.ALERTS else (cloud.home,):
            source = f"projects/{project}/topics/{topic}"
            yield {
                "name": f"projects/{project}/subscriptions/{topic}-push",
                "topic": source,
                # A plain push does not say its topic: the address does.
                "push_config": {
                    "push_endpoint": f"http://{addresses[entry_point]}/{source}",
                    "oidc_token": {
                        "service_account_email": push_account(cloud.home),
                        "audience": push_audience(cloud.home).replace("{function}", function),
                    },
                },
                "ack_deadline_seconds": int(topics.ACK_DEADLINE.total_seconds()),
                "expiration_policy": {},
                "retry_policy": {"minimum_backoff": first, "maximum_backoff": longest},
                "dead_letter_policy": {
                    "dead_letter_topic": f"projects/{cloud.home}/topics/{topics.DEAD_LETTERS}",
                    "max_delivery_attempts": topics.MAX_DELIVERY_ATTEMPTS,
                },
            }


def _create_or_update(cloud: CloudAddresses, wanted: Iterable[dict[str, Any]]) -> None:
    with grpc.insecure_channel(cloud.addresses["pubsub"]) as channel:
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        for one in wanted:
            subscription = pubsub_types.Subscription.pb()(**one)
            try:
                subscriber.create_subscription(subscription, timeout=CALL_TIMEOUT_SECONDS)
            except AlreadyExists:
                moved = pubsub_types.ModifyPushConfigRequest.pb()(
                    subscription=subscription.name, push_config=subscription.push_config
                )
                subscriber.modify_push_config(moved, timeout=CALL_TIMEOUT_SECONDS)
