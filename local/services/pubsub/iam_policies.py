"""The calls of google.iam.v1.IAMPolicy on topics, subscriptions and snapshots.

Policies are kept, not enforced: whoever reaches the embedded cloud may do everything.
"""

import hashlib

import grpc
from google.iam.v1.iam_policy_pb2 import (
    GetIamPolicyRequest,
    SetIamPolicyRequest,
    TestIamPermissionsRequest,
    TestIamPermissionsResponse,
)
from google.iam.v1.policy_pb2 import Policy

from local.services.pubsub.broker import Broker
from local.services.pubsub.statuses import aborted, not_found

NO_POLICY_ETAG = b"\x00 \x01"
"""What Google answers as the etag ("ACAB") of a resource that has no policy."""


class Policies:
    """Access policies by resource."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def SetIamPolicy(self, request: SetIamPolicyRequest, context: grpc.ServicerContext) -> Policy:
        """The policy as it is kept; ABORTED when the etag sent is not the current one."""
        policy = Policy()
        policy.CopyFrom(request.policy)
        policy.ClearField("etag")
        policy.etag = hashlib.sha256(policy.SerializeToString(deterministic=True)).digest()[:8]
        with self._broker.change():
            current = self._current(request.resource)
            if request.policy.etag and request.policy.etag != current.etag:
                raise aborted("There were concurrent policy changes; read the policy again.")
            self._broker.put_policy(request.resource, policy.SerializeToString())
        return policy

    def GetIamPolicy(self, request: GetIamPolicyRequest, context: grpc.ServicerContext) -> Policy:
        """The policy; an empty one where none was set."""
        with self._broker.change():
            return self._current(request.resource)

    def TestIamPermissions(
        self, request: TestIamPermissionsRequest, context: grpc.ServicerContext
    ) -> TestIamPermissionsResponse:
        """All the permissions that were asked for."""
        with self._broker.change():
            self._current(request.resource)
        return TestIamPermissionsResponse(permissions=request.permissions)

    def _current(self, resource: str) -> Policy:
        broker = self._broker
        if not any(resource in kept for kept in (broker.topics, broker.feeds, broker.snapshots)):
            raise not_found(resource)
        if resource in broker.policies:
            return Policy.FromString(broker.policies[resource])
        return Policy(etag=NO_POLICY_ETAG)
