"""What a subscription is: its configuration, with Pub/Sub's defaults and limits.

Defaults and limits: https://cloud.google.com/pubsub/docs/subscription-properties and
https://cloud.google.com/pubsub/docs/handling-failures (read 2026-11).
"""

import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

from google.protobuf.field_mask_pb2 import FieldMask

from local.services.pubsub import masks, names
from local.services.pubsub.delivery.backlog import DeliveryRules
from local.services.pubsub.durations import check_within
from local.services.pubsub.messages import PushConfig, Subscription, copy_resource
from local.services.pubsub.resources import filters
from local.services.pubsub.statuses import invalid_argument, unimplemented

DEFAULT_ACK_DEADLINE_SECONDS = 10
MAX_ACK_DEADLINE_SECONDS = 600
DEFAULT_RETENTION = timedelta(days=7)
MIN_RETENTION = timedelta(minutes=10)
MAX_RETENTION = timedelta(days=31)
DEFAULT_TIME_TO_LIVE = timedelta(days=31)
MIN_TIME_TO_LIVE = timedelta(days=1)
DEFAULT_MINIMUM_BACKOFF = timedelta(seconds=10)
DEFAULT_MAXIMUM_BACKOFF = timedelta(seconds=600)
MAX_BACKOFF = timedelta(seconds=600)
DEFAULT_DELIVERY_ATTEMPTS = 5
MOST_DELIVERY_ATTEMPTS = 100
PUSH_MINIMUM_BACKOFF = timedelta(milliseconds=100)
PUSH_MAXIMUM_BACKOFF = timedelta(seconds=60)
"""The push back-off where no retry policy is set: https://cloud.google.com/pubsub/docs/push."""

EVENTS_MODE = "__GCP_CloudEventsMode"
"""Of an endpoint that Eventarc has made, in its query: how an event is to be unwrapped there."""

RUN_DOMAIN = ".run.app"
"""Of the hosts of Cloud Run services."""

_UNSUPPORTED_FIELDS = ("bigquery_config", "cloud_storage_config", "bigtable_config")
_MUTABLE = (
    "push_config",
    "ack_deadline_seconds",
    "retain_acked_messages",
    "message_retention_duration",
    "labels",
    "expiration_policy",
    "dead_letter_policy",
    "retry_policy",
    "enable_exactly_once_delivery",
    "message_transforms",
    *_UNSUPPORTED_FIELDS,
)
_NO_TIME = timedelta()


def build_subscription(request: Subscription) -> Subscription:
    """The subscription that a request creates, defaults and output fields filled in.

    Raises: Refused INVALID_ARGUMENT, or UNIMPLEMENTED for what is not served here.
    """
    subscription = copy_resource(request)
    names.require_resource_name(subscription.name, "subscriptions")
    subscription.state = Subscription.State.ACTIVE
    subscription.detached = False
    filters.parse_filter(subscription.filter)
    return _complete_subscription(subscription)


def update_subscription(subscription: Subscription, change: Subscription, mask: FieldMask) -> Subscription:
    """The subscription with the masked fields of `change`; cleared fields take their defaults.

    Raises: Refused INVALID_ARGUMENT, or UNIMPLEMENTED for what is not served here.
    """
    return _complete_subscription(masks.merge_masked_fields(subscription, change, mask, _MUTABLE))


def with_push(subscription: Subscription, push: PushConfig) -> Subscription:
    """The subscription with another push configuration; an empty one turns it into a pull one.

    Raises: Refused INVALID_ARGUMENT, or UNIMPLEMENTED for what is not served here.
    """
    copy = copy_resource(subscription)
    copy.push_config.CopyFrom(push)
    return _complete_subscription(copy)


def is_push(subscription: Subscription) -> bool:
    """Are messages pushed, as opposed to waiting for a pull?"""
    return bool(subscription.push_config.push_endpoint)


def ack_deadline(subscription: Subscription) -> timedelta:
    """How long a delivery may take before it counts as failed."""
    return timedelta(seconds=subscription.ack_deadline_seconds)


def build_delivery_rules(subscription: Subscription, topic_retention: timedelta) -> DeliveryRules:
    """What the configuration, and the retention of its topic, mean for delivery."""
    retention = subscription.message_retention_duration.ToTimedelta()
    minimum, maximum = _backoff_limits(subscription)
    return DeliveryRules(
        ordered=subscription.enable_message_ordering,
        retention=retention,
        acked_retention=retention if subscription.retain_acked_messages else topic_retention,
        minimum_backoff=minimum,
        maximum_backoff=maximum,
        most_attempts=subscription.dead_letter_policy.max_delivery_attempts,
    )


def check_ack_deadline(seconds: int, least: int = 0) -> None:
    """Nothing, once a deadline in seconds lies within its limits.

    Raises: Refused INVALID_ARGUMENT.
    """
    if not least <= seconds <= MAX_ACK_DEADLINE_SECONDS:
        raise invalid_argument(
            f"Invalid ack deadline given: (ack_deadline={seconds}): must be between {least} and"
            f" {MAX_ACK_DEADLINE_SECONDS} seconds."
        )


def _backoff_limits(subscription: Subscription) -> tuple[timedelta, timedelta]:
    policy = subscription.retry_policy
    if subscription.HasField("retry_policy"):
        return policy.minimum_backoff.ToTimedelta(), policy.maximum_backoff.ToTimedelta()
    if is_push(subscription):
        return PUSH_MINIMUM_BACKOFF, PUSH_MAXIMUM_BACKOFF
    return _NO_TIME, _NO_TIME


def _complete_subscription(subscription: Subscription) -> Subscription:
    """The same subscription, its defaults filled in and its configuration checked."""
    if any(subscription.HasField(name) for name in _UNSUPPORTED_FIELDS) or subscription.message_transforms:
        raise unimplemented("Exports and transforms of subscriptions are not served here.")
    _complete_times(subscription)
    _complete_retry_policy(subscription)
    _complete_dead_letter_policy(subscription)
    _check_push(subscription)
    return subscription


def _complete_times(subscription: Subscription) -> None:
    subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or DEFAULT_ACK_DEADLINE_SECONDS
    check_ack_deadline(subscription.ack_deadline_seconds, DEFAULT_ACK_DEADLINE_SECONDS)
    if not subscription.HasField("message_retention_duration"):
        subscription.message_retention_duration.FromTimedelta(DEFAULT_RETENTION)
    check_within(
        subscription.message_retention_duration, MIN_RETENTION, MAX_RETENTION, "message_retention_duration"
    )
    if not subscription.HasField("expiration_policy"):
        subscription.expiration_policy.ttl.FromTimedelta(DEFAULT_TIME_TO_LIVE)
    if subscription.expiration_policy.HasField("ttl"):
        check_within(
            subscription.expiration_policy.ttl, MIN_TIME_TO_LIVE, timedelta.max, "expiration_policy.ttl"
        )


def _complete_retry_policy(subscription: Subscription) -> None:
    if not subscription.HasField("retry_policy"):
        return
    policy = subscription.retry_policy
    if not policy.HasField("minimum_backoff"):
        policy.minimum_backoff.FromTimedelta(DEFAULT_MINIMUM_BACKOFF)
    if not policy.HasField("maximum_backoff"):
        policy.maximum_backoff.FromTimedelta(DEFAULT_MAXIMUM_BACKOFF)
    check_within(policy.minimum_backoff, _NO_TIME, MAX_BACKOFF, "retry_policy.minimum_backoff")
    check_within(
        policy.maximum_backoff,
        policy.minimum_backoff.ToTimedelta(),
        MAX_BACKOFF,
        "retry_policy.maximum_backoff",
    )


def _complete_dead_letter_policy(subscription: Subscription) -> None:
    if not subscription.HasField("dead_letter_policy"):
        return
    policy = subscription.dead_letter_policy
    names.require_resource_name(policy.dead_letter_topic, "topics")
    policy.max_delivery_attempts = policy.max_delivery_attempts or DEFAULT_DELIVERY_ATTEMPTS
    if not DEFAULT_DELIVERY_ATTEMPTS <= policy.max_delivery_attempts <= MOST_DELIVERY_ATTEMPTS:
        raise invalid_argument(
            "Invalid dead_letter_policy.max_delivery_attempts: must be between"
            f" {DEFAULT_DELIVERY_ATTEMPTS} and {MOST_DELIVERY_ATTEMPTS}."
        )


def _check_push(subscription: Subscription) -> None:
    push = subscription.push_config
    if not is_push(subscription):
        return
    if push.HasField("no_wrapper"):
        raise unimplemented("Unwrapped push payloads are not served here.")
    if subscription.enable_exactly_once_delivery:
        raise invalid_argument("Exactly-once delivery is for pull subscriptions only.")
    if push.HasField("oidc_token") and not push.oidc_token.service_account_email:
        raise invalid_argument("push_config.oidc_token needs a service_account_email.")
    _check_endpoint(push.push_endpoint)


def _check_endpoint(endpoint: str) -> None:
    """Nothing for a plain loopback URL, a Cloud Run service, or where Eventarc pushes to.

    An embedded cloud never reaches a real service: of the latter two only what is played here is.
    """
    try:
        url = urlsplit(endpoint)
        host, _ = url.hostname or "", url.port
    except ValueError as error:
        raise invalid_argument(f"Invalid push endpoint given (endpoint={endpoint}): {error}") from error
    if EVENTS_MODE in url.query or (url.scheme == "https" and host.endswith(RUN_DOMAIN)):
        return
    if url.scheme != "http" or not is_loopback(host):
        raise invalid_argument(
            f"Invalid push endpoint given (endpoint={endpoint}): the embedded Pub/Sub pushes to"
            " http:// addresses on loopback (127.0.0.0/8, ::1, localhost) only, so that nothing"
            " leaves this machine."
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
