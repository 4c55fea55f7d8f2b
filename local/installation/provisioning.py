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
from shared.domain.data.asset_protection import derived_topics
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


def create_topics(pubsub: PubSub, projects: Iterable[str], policies: Sequence[Policy]) -> None:
    """The responders', and those where an application hears that it is to make data again."""
    ours = {(project, topic) for project in projects for topic in TOPICS}
    theirs = {(one.project, topic) for one in policies for topic in derived_topics(one)}
    for project, topic in sorted(ours | theirs):
        named = pubsub_types.Topic.pb()(name=f"projects/{project}/topics/{topic}")
        _create_unless_exists(pubsub.publisher.CreateTopic, named)
    for project, topic in sorted(theirs):
        listening = pubsub_types.Subscription.pb()(
            name=f"projects/{project}/subscriptions/{topic}-{REGENERATION_SUBSCRIPTION_SUFFIX}",
            topic=f"projects/{project}/topics/{topic}",
        )
        _create_unless_exists(pubsub.subscriber.CreateSubscription, listening)


def create_buckets(buckets: Buckets, home: str, policies: Sequence[Policy]) -> None:
    """The responders', and those of exports and assets; that of heads keeps what is in it."""
    retained = {audit_bucket(home): ANCHOR_RETENTION}
    others = (policy_bucket, quarantine_bucket, sources_bucket, status_bucket, values_bucket)
    own = (*retained, *(one(home) for one in others))
    exports = {one.backups.bucket: (HERE, one.project) for one in policies if one.backups.bucket}
    copies = {one.backups.second: (THERE, one.project) for one in policies if one.backups.second}
    assets = {name: (HERE, one.project) for one in policies for name in one.assets.replicated}
    everything = {**dict.fromkeys(own, (HERE, home)), **exports, **copies, **assets}
    for name, (location, project) in everything.items():
        try:
            buckets.create(name, retention=retained.get(name), location=location, project=project)
        except Refusal as refused:
            if refused.status != HTTPStatus.CONFLICT:
                raise
    buckets.change(policy_bucket(home), versioned=True)


def create_probe_accounts(
    surroundings: SystemResources, identity: EmbeddedIdentity, home: str, policies: Sequence[Policy]
) -> None:
    """The test accounts that the policies' probes sign in as, and what they do it with."""
    people, held = surroundings.identity, surroundings.secrets
    identity.takes_no_password = people.is_password_sign_in_off
    for policy in policies:
        for account in filter(None, (probe.sign_in for probe in policy.probes)):
            password = names.digest(f"{policy.project}/{account.email}")[:20]
            identity.put(Account(account.email, password))
            held.set_first_value(home, account.password_secret, password)
            held.set_first_value(home, account.api_key_secret, people.api_key(policy.project))


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


def _create_unless_exists(create: Callable[[Any, Any], object], wanted: Message) -> None:
    """There is such a thing, whoever made it."""
    try:
        create(wanted, NO_CALL_CONTEXT)
    except StatusError as refused:
        if refused.code is not grpc.StatusCode.ALREADY_EXISTS:
            raise
