"""Authentication of a push by its token, its topic and its subscription.

Pub/Sub signs a push with an ID token of the subscription's service account
(cloud.google.com/pubsub/docs/authenticate-push-subscriptions, read 2026-11).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from responders.support.dead_letters import create_once
from shared.core import topics
from shared.core.errors import Refused, Rejected
from shared.core.pubsub_message import PubSubMessage, PushIdentity
from shared.domain.audit.system_chain import UNCLAIMED_SYSTEM, system_event
from shared.domain.commands.credential import (
    Credential,
    CredentialKind,
    claimed_credential_kind,
    decode_unverified_token,
    service_account_credential,
)
from shared.ports.groups import Ports

REMOVED_SIGNATURE = ".SIGNATURE_REMOVED_BY_GOOGLE"
"""The end of a token that Cloud Run has verified and passed on
(cloud.google.com/run/docs/troubleshooting#signature-removed, read 2026-11)."""
CLOCK_SKEW = timedelta(seconds=10)
REJECTED_EVENT = "push.rejected"


class RejectedPush(Refused):
    """A push that is not proven to come from our own subscription: it has no effect."""


def authenticate_push(
    headers: Mapping[str, str], entry_point: str, expected: PushIdentity, ports: Ports
) -> None:
    """Return if our account's token is for this function. Raises: RejectedPush, Unavailable."""
    lowered = {name.lower(): value for name, value in headers.items()}
    scheme, _, token = lowered.get("authorization", "").partition(" ")
    if "x-serverless-authorization" in lowered:  # Cloud Run verifies that one instead
        raise RejectedPush("the push has a second token in X-Serverless-Authorization")
    if scheme.lower() != "bearer" or not token:
        raise RejectedPush("the push has no token in the header Authorization")
    try:
        if token.endswith(REMOVED_SIGNATURE):
            credential = _credential_verified_by_platform(token, expected, ports.clock.now())
        else:
            credential = ports.operators.tokens.verify(token)
    except Rejected as rejected:
        raise RejectedPush(str(rejected)) from None
    if credential.kind is not CredentialKind.SERVICE or credential.name != expected.account:
        raise RejectedPush("the token belongs to another account than that of the subscription")
    function = topics.deployed_function(entry_point)
    if credential.audience != expected.audience.replace("{function}", function):
        raise RejectedPush(f"the token is for another audience than {function}")


def _credential_verified_by_platform(token: str, expected: PushIdentity, now: datetime) -> Credential:
    """Return what a token without its signature proves on Cloud Run. Raises: Rejected."""
    if not expected.deployed or claimed_credential_kind(token, "") is not CredentialKind.SERVICE:
        raise Rejected("the token's signature is not valid")
    credential = service_account_credential(decode_unverified_token(token)[1], token)
    if not credential.issued_at - CLOCK_SKEW <= now <= credential.expires_at + CLOCK_SKEW:
        raise Rejected("the token has expired")
    return credential


def require_own_topic(message: PubSubMessage, entry_point: str, expected: PushIdentity) -> None:
    """Return if the push names an own topic and subscription. Raises: RejectedPush."""
    for topic in topics.ENTRY_POINTS[entry_point]:
        for project in expected.projects if topic == topics.ALERTS else expected.projects[:1]:
            own = f"projects/{project}/topics/{topic}", f"projects/{project}/subscriptions/{topic}-push"
            if (message.topic, message.subscription) == own:
                return
    raise RejectedPush(f"the push is of another topic or subscription than those of {entry_point}")


def record_rejected_push(entry_point: str, topic: str, reason: str, ports: Ports) -> None:
    """Record an hour's first push that is rejected for a reason. Raises: Unavailable."""
    now = ports.clock.now()
    key = f"{REJECTED_EVENT}:{entry_point}:{reason}:{now:%Y%m%dT%H}"
    facts = {"reason": reason, "topic": topic}
    create_once(ports, system_event(UNCLAIMED_SYSTEM, key, REJECTED_EVENT, now, entry_point, **facts))
