"""Resource Manager: who may do what in a project, and its number; Cloud Billing: who pays for it.

Policies are kept and enforced nowhere.
"""

import uuid

import grpc

from local.application.names import project_number
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore
from local.core.rest import Resource, RestMethod, RestRequest

HOST = "cloudresourcemanager.googleapis.com"
BILLING_HOST = "cloudbilling.googleapis.com"


class Projects:
    """The IAM policy of every project."""

    def __init__(self, journal: Journal) -> None:
        self._shelf = ResourceStore(journal, "projects")

    def provision(self, project: str, account: str) -> None:
        """Let a service account be an editor of a project that has no policy yet."""
        name = f"projects/{project}"
        with self._shelf.lock:
            if name not in self._shelf:
                binding = {"role": "roles/editor", "members": [f"serviceAccount:{account}"]}
                self._shelf.put(_build_stored_policy(name, {"bindings": [binding]}))

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        project = "/v3/projects/{project}"
        return (
            RestMethod("projects.get", "GET", "/v1/projects/{project}", self._describe),
            RestMethod("projects.getIamPolicy", "POST", f"{project}:getIamPolicy", self._get),
            RestMethod("projects.setIamPolicy", "POST", f"{project}:setIamPolicy", self._set),
        )

    def billing_calls(self) -> tuple[RestMethod, ...]:
        """What is served of Cloud Billing."""
        path = "/v1/projects/{project}/billingInfo"
        return (RestMethod("projects.getBillingInfo", "GET", path, self._get_billing),)

    def _describe(self, request: RestRequest) -> Resource:
        """Every project is there."""
        project = request.ids["project"]
        number = str(project_number(project))
        return {"projectId": project, "projectNumber": number, "name": project, "lifecycleState": "ACTIVE"}

    def _get_billing(self, request: RestRequest) -> Resource:
        """Every project has an account, and it is the same one."""
        project = request.ids["project"]
        account = "billingAccounts/000000-000000-000000"
        name = f"projects/{project}/billingInfo"
        return {"name": name, "projectId": project, "billingAccountName": account, "billingEnabled": True}

    def _get(self, request: RestRequest) -> Resource:
        kept = self._shelf.find(f"projects/{request.ids['project']}")
        return {key: value for key, value in kept.items() if key != "name"}

    def _set(self, request: RestRequest) -> Resource:
        """The policy replaced; one with another etag than it has now is refused."""
        asked = request.body.get("policy")
        with self._shelf.lock:
            current = self._get(request)
            if not isinstance(asked, dict) or not isinstance(asked.get("bindings"), list):
                raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, "policy.bindings is missing")
            if asked.get("etag", current["etag"]) != current["etag"]:
                raise StatusError(grpc.StatusCode.ABORTED, "There were concurrent policy changes.")
            self._shelf.put(_build_stored_policy(f"projects/{request.ids['project']}", asked))
            return self._get(request)


def _build_stored_policy(name: str, policy: Resource) -> Resource:
    return {"name": name, "version": 1, "bindings": policy["bindings"], "etag": uuid.uuid4().hex}
