"""What Eventarc makes in a project to bring a trigger's events to where it leads."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
from google.pubsub_v1 import types

from local.application import names
from local.core.grpc_services import StatusError
from local.core.rest import Resource
from local.services.eventarc.names import subscription_of, topic_of
from local.services.pubsub.messages import DeleteSubscriptionRequest, DeleteTopicRequest, Subscription, Topic
from local.services.pubsub.resources.subscriptions import EVENTS_MODE
from local.services.pubsub.service import PubSub

MESSAGE_RETENTION = timedelta(days=1)
RETRY_BACKOFF = (timedelta(seconds=10), timedelta(seconds=600))
ACK_DEADLINE_SECONDS = 10
FUNCTIONS_ACK_DEADLINE_SECONDS = 600
"""As Eventarc makes subscriptions, seen in projects: of functions, and of what else is started."""

_MODE = f"{EVENTS_MODE}=CE_PUBSUB_BINDING"
_INSIDE: Any = None


class TriggerTransports:
    """A topic and a subscription for each trigger, by the trigger's name."""

    def __init__(self, pubsub: PubSub) -> None:
        self._publisher = pubsub.publisher
        self._subscriber = pubsub.subscriber

    def make(self, trigger: Resource) -> Resource:
        """The trigger with its transport, which is there from now on, whoever made it."""
        topic, subscription = topic_of(trigger["name"]), subscription_of(trigger["name"])
        _call_ignoring_status(grpc.StatusCode.ALREADY_EXISTS, self._publisher.CreateTopic, Topic(name=topic))
        _call_ignoring_status(
            grpc.StatusCode.ALREADY_EXISTS,
            self._subscriber.CreateSubscription,
            _subscription(trigger, topic, subscription),
        )
        return {**trigger, "transport": {"pubsub": {"topic": topic, "subscription": subscription}}}

    def remove(self, trigger: str) -> None:
        """Let both be gone, and what they hold."""
        subscription = DeleteSubscriptionRequest(subscription=subscription_of(trigger))
        topic = DeleteTopicRequest(topic=topic_of(trigger))
        _call_ignoring_status(grpc.StatusCode.NOT_FOUND, self._subscriber.DeleteSubscription, subscription)
        _call_ignoring_status(grpc.StatusCode.NOT_FOUND, self._publisher.DeleteTopic, topic)


def _subscription(trigger: Resource, topic: str, name: str) -> Subscription:
    deadline = ACK_DEADLINE_SECONDS
    if "cloudFunction" in trigger["destination"]:
        deadline = FUNCTIONS_ACK_DEADLINE_SECONDS
    made = Subscription(
        name=name,
        topic=topic,
        ack_deadline_seconds=deadline,
        message_retention_duration=MESSAGE_RETENTION,
        expiration_policy=types.ExpirationPolicy.pb()(),  # present and empty: never
        retry_policy={"minimum_backoff": RETRY_BACKOFF[0], "maximum_backoff": RETRY_BACKOFF[1]},
    )
    endpoint = _endpoint(trigger)
    if endpoint:
        made.push_config.push_endpoint = endpoint
        made.push_config.oidc_token.service_account_email = _account(trigger)
    return made


def _endpoint(trigger: Resource) -> str:
    """Where events are pushed to; empty: whoever they are for pulls them, as GKE's forwarder."""
    _, project, _, location, *_ = trigger["name"].split("/")
    match trigger["destination"]:
        case {"cloudFunction": str(function)}:
            *_, region, _, short = function.split("/")
            host = names.run_host(names.service_name(short), project, region)
            return f"https://{host}?{_MODE}"
        case {"cloudRun": {"service": str(service), **more}}:
            host = names.run_host(service, project, str(more.get("region", location)))
            return f"https://{host}{more.get('path', '')}?{_MODE}"
        case {"workflow": str(workflow)}:
            api = "https://workflowexecutions.googleapis.com/v1"
            return f"{api}/{workflow}:triggerPubsubExecution?{_MODE}"
        case {"httpEndpoint": {"uri": str(uri)}}:
            return f"{uri}{'&' if '?' in uri else '?'}{_MODE}"
        case _:
            return ""


def _account(trigger: Resource) -> str:
    """Whose token a push carries: the default one, unless the trigger says another."""
    number = names.project_number(trigger["name"].split("/")[1])
    return str(trigger.get("serviceAccount") or f"{number}-compute@developer.gserviceaccount.com")


def _call_ignoring_status(code: grpc.StatusCode, call: Callable[[Any, Any], object], request: Any) -> None:
    """It is so, whoever has seen to it before."""
    try:
        call(request, _INSIDE)
    except StatusError as refused:
        if refused.code is not code:
            raise
