"""What is read off Google's generated transports, for the clients that are pinned."""

import pytest
from google.cloud.run_v2.services.services.transports.grpc import ServicesGrpcTransport
from google.iam.v1 import iam_policy_pb2, policy_pb2

from local.core import grpc_services

IAM = {
    "GetIamPolicy": iam_policy_pb2.GetIamPolicyRequest,
    "SetIamPolicy": iam_policy_pb2.SetIamPolicyRequest,
    "TestIamPermissions": iam_policy_pb2.TestIamPermissionsRequest,
}


@pytest.mark.parametrize(("name", "request_class"), IAM.items(), ids=IAM)
def test_call_that_a_service_shares_with_iam_has_its_messages(name: str, request_class: type) -> None:
    """Cloud Run's own IAM calls take and give the messages of google.iam.v1."""
    calls = {method.name: method for method in grpc_services.methods(ServicesGrpcTransport)}

    assert calls[name].path == f"/google.cloud.run.v2.Services/{name}"
    assert calls[name].request is request_class
    if name != "TestIamPermissions":
        assert calls[name].response is policy_pb2.Policy


def test_every_call_of_a_service_is_known_by_its_own_messages() -> None:
    """The table has each call once, with the service's own classes."""
    calls = {method.name: method for method in grpc_services.methods(ServicesGrpcTransport)}

    assert set(calls) == {
        *("CreateService", "DeleteService", "GetService", "ListServices", "UpdateService"),
        *IAM,
    }
    update = calls["UpdateService"].request.DESCRIPTOR
    assert update.full_name == "google.cloud.run.v2.UpdateServiceRequest"
