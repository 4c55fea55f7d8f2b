"""Access policies of resources, as the calls of `google.iam.v1.IAMPolicy` read and replace them."""

from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest, SetIamPolicyRequest
from google.iam.v1.policy_pb2 import Policy
from google.protobuf.json_format import MessageToDict, ParseDict

from local.core import iam_policies
from local.core.iam_policies import GrantCheck

NO_POLICY_ETAG = b"\x00 \x01"
"""What Google answers as the etag ("ACAB") of a resource that has no policy."""


def replace_policy(current: Policy, request: SetIamPolicyRequest, check: GrantCheck) -> Policy:
    """Return the policy that takes the place of the current one. Raises: StatusError."""
    mask = ",".join(request.update_mask.paths)
    asked = MessageToDict(request.policy)
    return ParseDict(iam_policies.replace_policy(MessageToDict(current), asked, mask, check), Policy())


def show_policy(policy: Policy, request: GetIamPolicyRequest) -> Policy:
    """Return a policy in the version that a request asks for. Raises: StatusError."""
    version = request.options.requested_policy_version
    return ParseDict(iam_policies.show_policy(MessageToDict(policy), version), Policy())
