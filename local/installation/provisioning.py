"""What an installation brings before anything happens: topics, buckets, test accounts."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import grpc
from google.protobuf.message import Message
from google.pubsub_v1 import types as pubsub_types

from local.application import names
from local.core.grpc_services import StatusError
from local.services.identity import Account, EmbeddedIdentity
from local.services.pubsub.service import PubSub
from local.services.storage import Buckets
from local.services.storage.errors import Refusal
from local.system_resources import SystemResources
from shared.domain.data.asset_protection import regeneration_topics
from shared.domain.policy.probes import ProbeAccount
from shared.domain.policy.system_policy import Policy

TOPICS = (
    "rollback-alerts",
    "rollback-commands",
    "rollback-override",
    "rollback-clock",
    "rollback-deployments",
    "rollback-work",
    "rollback-notices",
    "rollback-dead-letters",
)
ANCHOR_RETENTION = timedelta(days=90)
"""Longer than what they prove."""
HERE, THERE = "US", "EU"
"""Where buckets lie: those of copies on another continent."""
REGENERATION_SUBSCRIPTION_SUFFIX = "maker"
"""How the subscription ends by which an application hears what it is to make again."""
REGION = "europe-west1"
"""Where the functions of the installation would be."""
NO_CALL_CONTEXT: Any = None
"""The context of a call that comes from inside: what is called so does not look at it."""


def create_topics(pubsub: PubSub, projects: Iterable[str]) -> None:
    """The responders'."""
    for project in projects:
        for topic in TOPICS:
            _create_topic(pubsub, project, topic)


def derived_topics(policy: Policy) -> frozenset[str]:
    """Return every topic of a system where somebody may be asked to make data again."""
    return frozenset(topic for name in policy.collections for topic in regeneration_topics(policy, name))


def create_application_topics(pubsub: PubSub, policies: Sequence[Policy]) -> None:
    """Those where an application hears that it is to make data again, and its subscriptions."""
    for project, topic in sorted({(one.project, topic) for one in policies for topic in derived_topics(one)}):
        _create_topic(pubsub, project, topic)
        listening = pubsub_types.Subscription.pb()(
            name=f"projects/{project}/subscriptions/{topic}-{REGENERATION_SUBSCRIPTION_SUFFIX}",
            topic=f"projects/{project}/topics/{topic}",
        )
        _create_unless_exists(pubsub.subscriber.CreateSubscription, listening)


def create_buckets(buckets: Buckets, home: str, policies: Sequence[Policy]) -> None:
    """The responders', and those of exports; that of heads keeps what is in it."""
    others = (policy_bucket, quarantine_bucket, sources_bucket, status_bucket, values_bucket)
    exports = {one.backups.bucket: (HERE, one.project) for one in policies if one.backups.bucket}
    copies = {one.backups.second: (THERE, one.project) for one in policies if one.backups.second}
    _create_bucket(buckets, audit_bucket(home), HERE, home, ANCHOR_RETENTION)
    for name, (location, project) in {
        **{one(home): (HERE, home) for one in others},
        **exports,
        **copies,
    }.items():
        _create_bucket(buckets, name, location, project)
    buckets.change(policy_bucket(home), versioned=True)


def create_asset_buckets(buckets: Buckets, policies: Sequence[Policy]) -> None:
    """Those of an application's files that must outlast the loss of a region."""
    for policy in policies:
        for name in policy.assets.replicated:
            _create_bucket(buckets, name, HERE, policy.project)


def create_probe_accounts(
    surroundings: SystemResources, identity: EmbeddedIdentity, policies: Sequence[Policy]
) -> None:
    """The test accounts that the policies' probes sign in as."""
    identity.takes_no_password = surroundings.identity.is_password_sign_in_off
    for policy in policies:
        for account in filter(None, (probe.sign_in for probe in policy.probes)):
            identity.put(Account(account.email, _build_password(policy, account)))


def store_probe_secrets(surroundings: SystemResources, home: str, policies: Sequence[Policy]) -> None:
    """What the probes sign in with."""
    for policy in policies:
        for account in filter(None, (probe.sign_in for probe in policy.probes)):
            surroundings.secrets.set_first_value(
                home, account.password_secret, _build_password(policy, account)
            )
            api_key = surroundings.identity.api_key(policy.project)
            surroundings.secrets.set_first_value(home, account.api_key_secret, api_key)


def push_account(home: str) -> str:
    """The account whose token each push carries, by the operations project."""
    return f"rollback-push@{home}.iam.gserviceaccount.com"


def push_audience(home: str) -> str:
    """The audience of that token, with `{function}` for the name of the function."""
    return f"https://{names.run_host('{function}', home, REGION)}"


def console_account(home: str) -> str:
    """The account that the console runs as, by the operations project."""
    return f"rollback-console@{home}.iam.gserviceaccount.com"


def audit_bucket(home: str) -> str:
    """The bucket for heads of audit chains, by the operations project."""
    return _bucket_name(home, "audit")


def sources_bucket(home: str) -> str:
    """The bucket for our copies of the functions' sources."""
    return _bucket_name(home, "sources")


def values_bucket(home: str) -> str:
    """The bucket for values of plain variables."""
    return _bucket_name(home, "values")


def quarantine_bucket(home: str) -> str:
    """The bucket for documents as they were before a repair."""
    return _bucket_name(home, "quarantine")


def policy_bucket(home: str) -> str:
    """The bucket of the published policies."""
    return _bucket_name(home, "policies")


def status_bucket(home: str) -> str:
    """The bucket of the status pages."""
    return _bucket_name(home, "status")


def _bucket_name(home: str, purpose: str) -> str:
    return f"{re.sub('[^a-z0-9-]', '-', home)}-rollback-{purpose}"


def _build_password(policy: Policy, account: ProbeAccount) -> str:
    return names.digest(f"{policy.project}/{account.email}")[:20]


def _create_topic(pubsub: PubSub, project: str, topic: str) -> None:
    named = pubsub_types.Topic.pb()(name=f"projects/{project}/topics/{topic}")
    _create_unless_exists(pubsub.publisher.CreateTopic, named)


def _create_bucket(
    buckets: Buckets, name: str, location: str, project: str, retention: timedelta | None = None
) -> None:
    """Create it unless it exists."""
    try:
        buckets.create(name, retention=retention, location=location, project=project)
    except Refusal as refused:
        if refused.status != HTTPStatus.CONFLICT:
            raise


def _create_unless_exists(create: Callable[[Any, Any], object], wanted: Message) -> None:
    """There is such a thing, whoever made it."""
    try:
        create(wanted, NO_CALL_CONTEXT)
    except StatusError as refused:
        if refused.code is not grpc.StatusCode.ALREADY_EXISTS:
            raise
