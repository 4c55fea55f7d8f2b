"""What waits in a subscription of the embedded cloud."""

from typing import Any

from google.pubsub_v1 import types

from local.cloud import Cloud
from shared.domain.policy.system_policy import Group, Policy

SHOP = Policy("shop", "shop-prod", "europe-west1", {"all": Group(("placeOrder",))}, {}, {})


class _Waiting:
    """The context of a pull from inside."""

    def add_callback(self, _: Any) -> None:
        """It is never cancelled."""

    def is_active(self) -> bool:
        return True


def pulled(cloud: Cloud, subscription: str) -> list[Any]:
    """The messages that are ready now."""
    request = types.PullRequest.pb()(subscription=subscription, max_messages=10, return_immediately=True)
    context: Any = _Waiting()
    answer = cloud.pubsub.subscriber.Pull(request, context)
    return [one.message for one in answer.received_messages]
