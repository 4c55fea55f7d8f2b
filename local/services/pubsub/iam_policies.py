"""The calls of google.iam.v1.IAMPolicy on topics, subscriptions, snapshots and schemas.

Policies are kept, not enforced: whoever reaches the embedded cloud may do everything.
"""

import grpc
from google.iam.v1.iam_policy_pb2 import (
    GetIamPolicyRequest,
    SetIamPolicyRequest,
    TestIamPermissionsRequest,
    TestIamPermissionsResponse,
)
from google.iam.v1.policy_pb2 import Policy

from local.core.iam_messages import NO_POLICY_ETAG, replace_policy, show_policy
from local.core.iam_policies import GrantCheck
from local.services.pubsub.broker import Broker
from local.services.pubsub.statuses import not_found


class Policies:
    """Access policies by resource."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.check_grant: GrantCheck = lambda _: None
        """Refuses a new grant."""

    def SetIamPolicy(self, request: SetIamPolicyRequest, context: grpc.ServicerContext) -> Policy:
        """The policy as it is kept; ABORTED when the etag sent is not the current one."""
        with self._broker.change():
            policy = replace_policy(self._current(request.resource), request, self.check_grant)
            self._broker.put_policy(request.resource, policy.SerializeToString())
        return policy

    def GetIamPolicy(self, request: GetIamPolicyRequest, context: grpc.ServicerContext) -> Policy:
        """The policy; an empty one where none was set."""
        with self._broker.change():
            return show_policy(self._current(request.resource), request)

    def TestIamPermissions(
        self, request: TestIamPermissionsRequest, context: grpc.ServicerContext
    ) -> TestIamPermissionsResponse:
        """All the permissions that were asked for."""
        with self._broker.change():
            self._current(request.resource)
        return TestIamPermissionsResponse(permissions=request.permissions)

    def _current(self, resource: str) -> Policy:
        broker = self._broker
        if not any(
            resource in kept for kept in (broker.topics, broker.feeds, broker.snapshots, broker.schemas)
        ):
            raise not_found(resource)
        if resource in broker.policies:
            return Policy.FromString(broker.policies[resource])
        return Policy(etag=NO_POLICY_ETAG)
