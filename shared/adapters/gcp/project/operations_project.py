"""Topics, subscriptions, functions and policies of the operations project, as set up."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.cloud import functions_v2
from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest
from google.pubsub_v1 import types

from shared.adapters.gcp.errors import call_once
from shared.adapters.gcp.listing import list_items
from shared.adapters.gcp.project.service_accounts import members_by_role
from shared.adapters.gcp.storage import objects
from shared.core.text import last_segment
from shared.domain.deployments.inventory.inventory_parts import Grants
from shared.ports.operations_project import DeployedFunction, Subscription

PERMISSIONS = (
    "cloudfunctions.functions.list",
    "pubsub.subscriptions.list",
    "pubsub.topics.getIamPolicy",
    "pubsub.topics.list",
    "storage.buckets.getIamPolicy",
)

MAX_PAGES = 50
"""Of any list here: pages hold 1,000, and the product has a handful."""
_PAGE = 1000
"""The most that a page of any of them may hold (pubsub.proto, functions.proto)."""

_CONDITIONAL = 3
"""The version of a policy that shows roles under a condition
(https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy, read 2026-11)."""

_ACTIVE = functions_v2.Function.State.ACTIVE


@dataclass
class CloudOperationsProject:
    """An OperationsProject over Google's clients, whose own retries are off."""

    _publisher: Any
    _subscriber: Any
    _functions: Any
    _storage: Any
    _project: str

    def topics(self) -> dict[str, str]:
        found = self._list(self._publisher.list_topics, "topics", project=f"projects/{self._project}")
        return {last_segment(topic.name): last_segment(topic.schema_settings.schema) for topic in found}

    def subscriptions(self) -> list[Subscription]:
        project = f"projects/{self._project}"
        found = self._list(self._subscriber.list_subscriptions, "subscriptions", project=project)
        return [_subscription(types.Subscription.pb(message)) for message in found]

    def grants(self, topic: str) -> Grants:
        request = GetIamPolicyRequest(resource=f"projects/{self._project}/topics/{topic}")
        policy = call_once(self._publisher.get_iam_policy, request)
        return members_by_role((binding.role, binding.members) for binding in policy.bindings)

    def bucket_grants(self, bucket: str) -> Grants:
        with objects.translate_http_errors():
            found = self._storage.bucket(bucket)
            policy = found.get_iam_policy(requested_policy_version=_CONDITIONAL, **objects.CALL_ONCE)
        return members_by_role((binding["role"], binding["members"]) for binding in policy.bindings)

    def functions(self) -> list[DeployedFunction]:
        parent = f"projects/{self._project}/locations/-"
        found = self._list(self._functions.list_functions, "functions", parent=parent)
        return [_deployed_function(functions_v2.Function.pb(message)) for message in found]

    def _list(self, call: Any, field: str, **asked: str) -> list[Any]:
        return list_items(call, field, {**asked, "page_size": _PAGE}, MAX_PAGES)


def _subscription(message: Any) -> Subscription:
    """A subscription; without an expiration policy it goes after 31 idle days (pubsub.proto)."""
    push, retry = message.push_config, message.retry_policy
    return Subscription(
        name=last_segment(message.name),
        topic=message.topic,
        endpoint=push.push_endpoint,
        account=push.oidc_token.service_account_email,
        audience=push.oidc_token.audience,
        ack_deadline=timedelta(seconds=message.ack_deadline_seconds),
        kept_for=message.message_retention_duration.ToTimedelta(),
        backoff=(retry.minimum_backoff.ToTimedelta(), retry.maximum_backoff.ToTimedelta())
        if message.HasField("retry_policy")
        else None,
        dead_letters=message.dead_letter_policy.dead_letter_topic,
        attempts=message.dead_letter_policy.max_delivery_attempts,
        expires=not message.HasField("expiration_policy") or message.expiration_policy.HasField("ttl"),
        detached=message.detached,
    )


def _deployed_function(message: Any) -> DeployedFunction:
    return DeployedFunction(
        name=last_segment(message.name),
        entry_point=message.build_config.entry_point,
        active=message.state == _ACTIVE,
        uri=message.service_config.uri,
        labels=dict(message.labels),
        account=message.service_config.service_account_email,
        environment=dict(message.service_config.environment_variables),
    )
