"""Resource Manager, `v3`: who may do what in a project. Policies are kept and enforced nowhere."""

import uuid

import grpc

from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore
from local.core.rest import Resource, RestMethod, RestRequest

HOST = "cloudresourcemanager.googleapis.com"


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
            RestMethod("projects.getIamPolicy", "POST", f"{project}:getIamPolicy", self._get),
            RestMethod("projects.setIamPolicy", "POST", f"{project}:setIamPolicy", self._set),
        )

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
