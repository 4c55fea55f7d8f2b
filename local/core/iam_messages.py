"""Access policies of resources, as `google.iam.v1.IAMPolicy` changes them. Nobody enforces one."""

import hashlib

import grpc
from google.iam.v1.policy_pb2 import Policy

from local.core.grpc_services import StatusError
from local.core.iam_policies import Grant, GrantCheck

NO_POLICY_ETAG = b"\x00 \x01"
"""What Google answers as the etag ("ACAB") of a resource that has no policy."""
CONDITIONS_VERSION = 3


def replace_policy(current: Policy, asked: Policy, check: GrantCheck) -> Policy:
    """The policy that takes the place of the current one, with an etag of its own.

    Raises: StatusError ABORTED when the etag sent is not the current one, INVALID_ARGUMENT for
    conditions in another version than 3; what `check` raises for a grant that is new.
    """
    if asked.etag and asked.etag != current.etag:
        raise StatusError(
            grpc.StatusCode.ABORTED, "There were concurrent policy changes; read the policy again."
        )
    if asked.version != CONDITIONS_VERSION and any(one.HasField("condition") for one in asked.bindings):
        raise StatusError(
            grpc.StatusCode.INVALID_ARGUMENT, "A policy with conditions must have the version 3."
        )
    for grant in _read_grants(asked) - _read_grants(current):
        check(grant)
    policy = Policy()
    policy.CopyFrom(asked)
    policy.ClearField("etag")
    policy.etag = hashlib.sha256(policy.SerializeToString(deterministic=True)).digest()[:8]
    return policy


def _read_grants(policy: Policy) -> set[Grant]:
    return {
        Grant(one.role, member, one.condition.expression) for one in policy.bindings for member in one.members
    }
