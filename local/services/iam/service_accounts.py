"""IAM, `v1`: service accounts, whether they are disabled, and the custom roles of projects.

Shapes: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts and
.../projects.roles (read 2026-11). The policy of a project grants roles; nobody enforces it.
"""

import grpc

from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore
from local.core.rest import Resource, RestMethod, RestRequest

HOST = "iam.googleapis.com"


class ServiceAccounts:
    """The service accounts of every project; what runs as one does not ask about it."""

    def __init__(self, journal: Journal) -> None:
        self._shelf = ResourceStore(journal, "accounts")
        self._roles = ResourceStore(journal, "roles")

    def provision(self, project: str, email: str) -> None:
        """Give a project a service account, unless it has it."""
        account = _account(project, email)
        with self._shelf.lock:
            if account["name"] not in self._shelf:
                self._shelf.put(account)

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        accounts = "/v1/projects/{project}/serviceAccounts"
        one = f"{accounts}/{{account}}"
        roles = "/v1/projects/{project}/roles"
        return (
            RestMethod("projects.serviceAccounts.create", "POST", accounts, self._create),
            RestMethod("projects.serviceAccounts.get", "GET", one, self._find),
            RestMethod("projects.serviceAccounts.delete", "DELETE", one, self._delete),
            RestMethod("projects.serviceAccounts.disable", "POST", f"{one}:disable", self._disable),
            RestMethod("projects.serviceAccounts.enable", "POST", f"{one}:enable", self._enable),
            RestMethod("projects.roles.create", "POST", roles, self._create_role),
            RestMethod("projects.roles.get", "GET", f"{roles}/{{role}}", self._find_role),
            RestMethod("projects.roles.delete", "DELETE", f"{roles}/{{role}}", self._delete_role),
        )

    def _create(self, request: RestRequest) -> Resource:
        project, short = request.ids["project"], request.body.get("accountId")
        if not isinstance(short, str) or not short:
            raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, "accountId is missing")
        account = _account(project, f"{short}@{project}.iam.gserviceaccount.com")
        with self._shelf.lock:
            if account["name"] in self._shelf:
                said = f"Service account {short} already exists"
                raise StatusError(grpc.StatusCode.ALREADY_EXISTS, said)
            self._shelf.put(account)
        return account

    def _find(self, request: RestRequest) -> Resource:
        return self._shelf.find(_name(request.ids["project"], request.ids["account"]))

    def _delete(self, request: RestRequest) -> Resource:
        with self._shelf.lock:
            self._shelf.write({self._find(request)["name"]: None})
        return {}

    def _disable(self, request: RestRequest) -> Resource:
        with self._shelf.lock:
            self._shelf.put({**self._find(request), "disabled": True})
        return {}

    def _enable(self, request: RestRequest) -> Resource:
        with self._shelf.lock:
            found = self._find(request)
            self._shelf.put({key: value for key, value in found.items() if key != "disabled"})
        return {}

    def _create_role(self, request: RestRequest) -> Resource:
        short, stated = request.body.get("roleId"), request.body.get("role") or {}
        if not isinstance(short, str) or not short:
            raise StatusError(grpc.StatusCode.INVALID_ARGUMENT, "roleId is missing")
        role = {**stated, "name": f"projects/{request.ids['project']}/roles/{short}"}
        with self._roles.lock:
            if role["name"] in self._roles:
                said = f"A role named {short} in {request.ids['project']} already exists."
                raise StatusError(grpc.StatusCode.ALREADY_EXISTS, said)
            self._roles.put(role)
        return role

    def _find_role(self, request: RestRequest) -> Resource:
        return self._roles.find(f"projects/{request.ids['project']}/roles/{request.ids['role']}")

    def _delete_role(self, request: RestRequest) -> Resource:
        """A deleted role can be read for seven days."""
        with self._roles.lock:
            role = {**self._find_role(request), "deleted": True}
            self._roles.put(role)
        return role


def _name(project: str, email: str) -> str:
    return f"projects/{project}/serviceAccounts/{email}"


def _account(project: str, email: str) -> Resource:
    """An account that is enabled: then nothing is said of that."""
    return {"name": _name(project, email), "projectId": project, "email": email}
