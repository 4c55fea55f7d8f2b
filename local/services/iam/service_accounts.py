"""IAM, `v1`: service accounts, whether they are disabled, and who may act as them.

Shapes: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts (read 2026-11).
"""

from local.application.names import digest
from local.core.clock import CloudClock
from local.core.iam_policies import IamPolicies
from local.core.journal import Journal
from local.core.resource_store import ResourceStore
from local.core.resources import Change, Kind, ResourceCollection
from local.core.rest import Resource, RestMethod, RestRequest

HOST = "iam.googleapis.com"


def _complete(change: Change) -> Resource:
    if change.before is not None:
        return {}
    email = change.name.rpartition("/")[2]
    return {"projectId": change.ids["project"], "email": email, "uniqueId": _unique_id(email)}


KIND = Kind(
    calls="projects.serviceAccounts",
    schema="iam.v1.ServiceAccount",
    path="/v1/projects/{project}/serviceAccounts",
    listed_as="accounts",
    id_field="accountId",
    id_pattern=r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
    wrapper="serviceAccount",
    wraps_change=True,
    fields={"displayName": str, "description": str},
    answers=("disabled", "email", "oauth2ClientId", "projectId", "uniqueId"),
    has_etag=True,
    complete=_complete,
    policy="POST",
)


class ServiceAccounts(ResourceCollection):
    """The service accounts of every project; what runs as one does not ask about it."""

    def __init__(self, clock: CloudClock, journal: Journal, policies: IamPolicies) -> None:
        super().__init__(KIND, ResourceStore(journal, "accounts"), clock, policies)

    def provision(self, project: str, email: str) -> None:
        """Give a project a service account, unless it has it."""
        name = f"projects/{project}/serviceAccounts/{email}"
        with self._store.lock:
            if name not in self._store:
                account = {"name": name, "projectId": project, "email": email, "uniqueId": _unique_id(email)}
                self._store.put(account)

    def is_there(self, email: str) -> bool:
        """Whether a project has an account of that address."""
        return any(one["email"] == email for one in self._store.under("projects/"))

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        one = f"{KIND.path}/{{id}}"
        return (
            *super().calls(),
            RestMethod(f"{KIND.calls}.disable", "POST", f"{one}:disable", self._disable),
            RestMethod(f"{KIND.calls}.enable", "POST", f"{one}:enable", self._enable),
        )

    def full_id(self, request: RestRequest, short: str) -> str:
        """As the base says: the address, in which the domain of a project follows its id."""
        domain, _, project = request.ids["project"].rpartition(":")
        return f"{short}@{project}{'.' if domain else ''}{domain}.iam.gserviceaccount.com"

    def name_of(self, request: RestRequest) -> str:
        """As the base says: by address or unique id, and in any project where `-` stands for it."""
        project, wanted = request.ids["project"], request.ids["id"]
        if project != "-" and "@" in wanted:
            return super().name_of(request)
        for one in self._store.under("projects/"):
            if wanted in (one["email"], _unique_id(one["email"])) and project in ("-", one["projectId"]):
                return str(one["name"])
        return super().name_of(request)

    def _disable(self, request: RestRequest) -> Resource:
        with self._store.lock:
            self._store.put({**self.find(request), "disabled": True})
        return {}

    def _enable(self, request: RestRequest) -> Resource:
        with self._store.lock:
            self._store.put({key: it for key, it in self.find(request).items() if key != "disabled"})
        return {}


def _unique_id(email: str) -> str:
    """21 digits, always the same for an address (Google draws others for a second account)."""
    return "1" + str(int(digest(email)[:24], 16)).zfill(29)[-20:]
