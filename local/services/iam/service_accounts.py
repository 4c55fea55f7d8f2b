"""Service accounts of IAM, `v1`: which there are, and whether they are disabled.

Shapes: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts (read 2026-11).
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
        return (
            RestMethod("projects.serviceAccounts.create", "POST", accounts, self._create),
            RestMethod("projects.serviceAccounts.get", "GET", one, self._find),
            RestMethod("projects.serviceAccounts.delete", "DELETE", one, self._delete),
            RestMethod("projects.serviceAccounts.disable", "POST", f"{one}:disable", self._disable),
            RestMethod("projects.serviceAccounts.enable", "POST", f"{one}:enable", self._enable),
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


def _name(project: str, email: str) -> str:
    return f"projects/{project}/serviceAccounts/{email}"


def _account(project: str, email: str) -> Resource:
    """An account that is enabled: then nothing is said of that."""
    return {"name": _name(project, email), "projectId": project, "email": email}
