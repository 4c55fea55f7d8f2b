"""Workload Identity, `v1`: the service agents of a project; each is there once it is asked for.

Shapes: hashicorp/terraform-provider-google google_workload_identity_service_agent (read 2026-11).
"""

from local.application.names import project_number
from local.core.finished_operations import FinishedOperations
from local.core.journal import Journal
from local.core.resource_store import ResourceStore
from local.core.rest import Resource, RestMethod, RestRequest

HOST = "workloadidentity.googleapis.com"
_PRODUCERS = "projects.locations.serviceProducers"
_ANSWER_KIND = "google.cloud.workloadidentity.v1.GenerateServiceAgentsResponse"
OLD_DOMAINS = {
    "artifactregistry": "gcp-sa-artifactregistry",
    "cloudfunctions": "gcf-admin-robot",
    "run": "serverless-robot-prod",
    "storage": "gs-project-accounts",
}
"""The domains of agents whose names are older than the rule `gcp-sa-SERVICE`."""
_SERVICES = (
    *("cloudasset", "cloudbuild", "cloudkms", "cloudscheduler", "cloudtasks", "eventarc", "firebase"),
    *("firebaseappcheck", "firebaseauth", "firebasedatabase", "firebasemods", "firebasestorage", "firestore"),
    *("iap", "identitytoolkit", "logging", "monitoring-notification", "pubsub", "scc-notification"),
    *("secretmanager", "vpcaccess"),
)
AGENT_DOMAINS = frozenset((*OLD_DOMAINS.values(), *(f"gcp-sa-{one}" for one in _SERVICES)))
"""Of the agents of all services that this project and its applications use.

https://cloud.google.com/iam/docs/service-agents (read 2026-11)
"""


def agent_email(project: str, service: str) -> str:
    """Return the address of a service's agent: https://cloud.google.com/iam/docs/service-agents."""
    short = service.removesuffix(".googleapis.com")
    domain = OLD_DOMAINS.get(short, f"gcp-sa-{short}")
    return f"service-{project_number(project)}@{domain}.iam.gserviceaccount.com"


class ServiceAgents:
    """The agents of every project that somebody has asked for."""

    def __init__(self, journal: Journal) -> None:
        self._store = ResourceStore(journal, "agents")
        self._operations = FinishedOperations(journal, "workload-identity-operations")

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        producer = "/v1/projects/{project}/locations/{location}/serviceProducers/{service}"
        generate = (f"{_PRODUCERS}.generateServiceAgents", "POST", f"{producer}:generateServiceAgents")
        return (
            RestMethod(*generate, self._generate, {"parent": str}),
            *self._operations.calls("projects.locations.operations.get"),
        )

    def generate(self, project: str, service: str) -> str:
        """Return the address of a service's agent, which is there from now on."""
        email = agent_email(project, service)
        self._store.put({"name": email})
        return email

    def is_there(self, email: str) -> bool:
        """Whether somebody has asked for the agent of that address."""
        return email in self._store

    def _generate(self, request: RestRequest) -> Resource:
        project, service = request.ids["project"], request.ids["service"]
        place = f"projects/{project_number(project)}/locations/{request.ids['location']}"
        agent = {
            "name": f"{place}/serviceProducers/{service}/serviceAgents/default",
            "container": f"projects/{project_number(project)}",
            "serviceProducer": service,
            "principal": f"serviceAccount:{self.generate(project, service)}",
            "role": f"roles/{service.removesuffix('.googleapis.com')}.serviceAgent",
            "state": "ACTIVE",
        }
        parent = f"projects/{project}/locations/{request.ids['location']}"
        return self._operations.finish(parent, _ANSWER_KIND, {"serviceAgents": [agent]})
