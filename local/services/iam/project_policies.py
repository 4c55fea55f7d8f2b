"""Resource Manager: who may do what in a project, its number; Cloud Billing: who pays for it."""

import grpc

from local.application.names import project_number
from local.core.grpc_services import StatusError
from local.core.iam_policies import IamPolicies
from local.core.rest import Resource, RestMethod, RestRequest

HOST = "cloudresourcemanager.googleapis.com"
BILLING_HOST = "cloudbilling.googleapis.com"


class Projects:
    """Every project is there, and has an IAM policy."""

    def __init__(self, policies: IamPolicies) -> None:
        self._policies = policies

    def provision(self, project: str, account: str) -> None:
        """Let a service account be an editor of a project that has no policy yet."""
        if "bindings" not in self._policies.read(f"projects/{project}"):
            binding = {"role": "roles/editor", "members": [f"serviceAccount:{account}"]}
            self._policies.replace(f"projects/{project}", {"bindings": [binding]})

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        v1, v3 = "/v1/projects/{project}", "/v3/projects/{project}"
        return (
            RestMethod("projects.get", "GET", v1, self._describe),
            *self._policies.calls("projects", v1, "POST", _name),
            *self._policies.calls("projects", v3, "POST", _name),
        )

    def billing_calls(self) -> tuple[RestMethod, ...]:
        """What is served of Cloud Billing."""
        path = "/v1/projects/{project}/billingInfo"
        return (RestMethod("projects.getBillingInfo", "GET", path, self._get_billing),)

    def _describe(self, request: RestRequest) -> Resource:
        project = request.ids["project"]
        if project.isdigit():
            raise StatusError(grpc.StatusCode.PERMISSION_DENIED, "The caller does not have permission")
        number = str(project_number(project))
        return {"projectId": project, "projectNumber": number, "name": project, "lifecycleState": "ACTIVE"}

    def _get_billing(self, request: RestRequest) -> Resource:
        """Every project has an account, and it is the same one."""
        project = request.ids["project"]
        account = "billingAccounts/000000-000000-000000"
        name = f"projects/{project}/billingInfo"
        return {"name": name, "projectId": project, "billingAccountName": account, "billingEnabled": True}


def _name(request: RestRequest) -> str:
    return f"projects/{request.ids['project']}"
