"""How messages reach the responders: a push subscription of its own for each topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import grpc
from google.pubsub_v1 import types as pubsub_types

from local.cloud import INSIDE, Cloud
from local.wire import Refused
from shared import topics

ENTRY_POINTS = {
    "on_alert": topics.ALERTS,
    "on_command": topics.COMMANDS,
    "on_clock": topics.CLOCK,
    "on_deployment": topics.DEPLOYMENTS,
    "on_work": topics.WORK,
    "on_notice": topics.NOTICES,
}
"""The topic of each entry point of main.py."""
KEPT = f"{topics.DEAD_LETTERS}-kept"
"""The subscription that holds dead letters until a person takes them out."""
ACK_DEADLINE_SECONDS = 600
LIMIT_ATTEMPTS = 100
KEPT_FOR = timedelta(days=31)
"""The longest retention of a subscription (pubsub.proto, Subscription)."""


def subscribe(cloud: Cloud, addresses: Mapping[str, str]) -> None:
    """Have each topic pushed to the entry point that listens at its address.

    Everything is in the operations project, but for alerts: every protected project's count. A
    subscription that a journal has brought back gets the new address.
    """
    letters = {
        "name": f"projects/{cloud.home}/subscriptions/{KEPT}",
        "topic": f"projects/{cloud.home}/topics/{topics.DEAD_LETTERS}",
        "ack_deadline_seconds": ACK_DEADLINE_SECONDS,
        "message_retention_duration": KEPT_FOR,
        "expiration_policy": {},  # present and empty: never
    }
    for wanted in (letters, *_pushes(cloud, addresses)):
        _put(cloud, pubsub_types.Subscription.pb()(**wanted))


def _pushes(cloud: Cloud, addresses: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for entry_point, topic in ENTRY_POINTS.items():
        for project in cloud.projects if topic == topics.ALERTS else (cloud.home,):
            source = f"projects/{project}/topics/{topic}"
            yield {
                "name": f"projects/{project}/subscriptions/{topic}-push",
                "topic": source,
                # A plain push does not say its topic: the address does.
                "push_config": {"push_endpoint": f"http://{addresses[entry_point]}/{source}"},
                "ack_deadline_seconds": ACK_DEADLINE_SECONDS,
                "expiration_policy": {},
                "retry_policy": _backoff(topic),
                "dead_letter_policy": {
                    "dead_letter_topic": f"projects/{cloud.home}/topics/{topics.DEAD_LETTERS}",
                    "max_delivery_attempts": LIMIT_ATTEMPTS,
                },
            }


def _backoff(topic: str) -> dict[str, timedelta]:
    """Work comes again soon: a dead worker's rollback waits for it."""
    first, longest = (1, 10) if topic == topics.WORK else (10, 60)
    return {
        "minimum_backoff": timedelta(seconds=first),
        "maximum_backoff": timedelta(seconds=longest),
    }


def _put(cloud: Cloud, wanted: Any) -> None:
    subscriber = cloud.pubsub.subscriber
    try:
        subscriber.CreateSubscription(wanted, INSIDE)
    except Refused as refused:
        if refused.code is not grpc.StatusCode.ALREADY_EXISTS:
            raise
        moved = pubsub_types.ModifyPushConfigRequest.pb()(
            subscription=wanted.name, push_config=wanted.push_config
        )
        subscriber.ModifyPushConfig(moved, INSIDE)
