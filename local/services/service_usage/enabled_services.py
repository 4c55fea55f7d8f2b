"""Service Usage, `v1`: which APIs are on in a project.

Shapes: https://cloud.google.com/service-usage/docs/reference/rest/v1/services (read 2026-11).
"""

from collections.abc import Iterable

import grpc
from google.rpc import error_details_pb2

from local.application.names import project_number
from local.core.finished_operations import FinishedOperations
from local.core.grpc_services import StatusError, build_detailed_error
from local.core.journal import Journal
from local.core.resource_store import ResourceStore
from local.core.rest import (
    PAGE_PARAMETERS,
    Resource,
    RestMethod,
    RestRequest,
    build_list_response,
    invalid_argument,
)
from local.services.workload_identity.agents import ServiceAgents

MAX_PAGE_SIZE = 200
MAX_BATCH = 20
_KINDS = "google.api.serviceusage"
NEW_PROJECT = frozenset(
    f"{one}.googleapis.com"
    for one in ("cloudresourcemanager", "logging", "monitoring", "serviceusage", "storage")
)
"""On in each project from the beginning: by Google, or because Terraform reads them first."""
APPLICATION = frozenset(
    f"{one}.googleapis.com"
    for one in (
        *(
            "artifactregistry",
            "cloudbuild",
            "cloudfunctions",
            "cloudscheduler",
            "eventarc",
            "firebasehosting",
        ),
        *("firebaseremoteconfig", "firebaserules", "firestore", "iam", "identitytoolkit", "pubsub", "run"),
        "secretmanager",
    )
)
"""On as well where an application lives."""
_OTHERS = frozenset(
    f"{one}.googleapis.com"
    for one in (
        *("apikeys", "billingbudgets", "cloudasset", "cloudbilling", "cloudkms", "cloudtasks", "compute"),
        *("containerregistry", "datastore", "fcm", "firebase", "firebaseappcheck", "firebasedatabase"),
        *("firebaseextensions", "firebaseinstallations", "firebasestorage", "iamcredentials"),
        *("securetoken", "securitycenter", "storage-api", "storage-component", "sts", "workloadidentity"),
    )
)
"""Those that this project, its applications and Firebase's tools switch on besides."""


class EnabledServices:
    """The APIs of every project: all are on, but where a project is strict."""

    def __init__(self, journal: Journal, agents: ServiceAgents, *, strict: bool = False) -> None:
        self._agents = agents
        self._store = ResourceStore(journal, "services")
        self._operations = FinishedOperations(journal, "service-usage-operations")
        self._strict = strict
        self._applications: set[str] = set()

    def provision(self, project: str) -> None:
        """Count a project as the home of an application."""
        self._applications.add(project)

    def is_on(self, project: str, service: str) -> bool:
        """Whether requests to an API are admitted."""
        name = f"projects/{project}/services/{service}"
        if name in self._store:
            return bool(self._store.find(name)["state"] == "ENABLED")
        return not self._strict or service in self._initial(project)

    def require(self, project: str, service: str) -> None:
        """Raises: StatusError PERMISSION_DENIED, as Google's front end, where an API is off."""
        if self.is_on(project, service):
            return
        number = project_number(project)
        said = f"{service} has not been used in project {number} before or it is disabled."
        details = error_details_pb2.ErrorInfo(
            reason="SERVICE_DISABLED",
            domain="googleapis.com",
            metadata={"consumer": f"projects/{number}", "service": service},
        )
        raise build_detailed_error(grpc.StatusCode.PERMISSION_DENIED, said, details)

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        services = "/v1/projects/{project}/services"
        one, beta = f"{services}/{{service}}", "/v1beta1/projects/{project}/services/{service}"
        disabled = {"disableDependentServices": bool, "checkIfServiceHasUsage": str}
        enabled = {"serviceIds": list[str]}
        return (
            RestMethod("services.get", "GET", one, self._get),
            RestMethod("services.list", "GET", services, self._list, {}, ("filter", *PAGE_PARAMETERS)),
            RestMethod("services.enable", "POST", f"{one}:enable", self._enable),
            RestMethod("services.disable", "POST", f"{one}:disable", self._disable, disabled),
            RestMethod(
                "services.batchEnable", "POST", f"{services}:batchEnable", self._batch_enable, enabled
            ),
            RestMethod("services.batchGet", "GET", f"{services}:batchGet", self._batch_get, {}, ("names",)),
            RestMethod(
                "services.generateServiceIdentity", "POST", f"{beta}:generateServiceIdentity", self._agent
            ),
            *self._operations.calls("operations.get", "/v1/operations"),
        )

    def describe(self, project: str, service: str) -> Resource:
        """Return an API of a project, on or off."""
        parent = f"projects/{project_number(project)}"
        state = "ENABLED" if self.is_on(project, service) else "DISABLED"
        config = {"name": service}
        return {"name": f"{parent}/services/{service}", "parent": parent, "config": config, "state": state}

    def _get(self, request: RestRequest) -> Resource:
        return self.describe(request.ids["project"], request.ids["service"])

    def _initial(self, project: str) -> frozenset[str]:
        return NEW_PROJECT | (APPLICATION if project in self._applications else frozenset())

    def _list(self, request: RestRequest) -> Resource:
        """Those that are on from the beginning, and those that somebody has switched on."""
        if request.query.get("filter") != "state:ENABLED":
            raise StatusError(grpc.StatusCode.UNIMPLEMENTED, "the filter is state:ENABLED")
        project = request.ids["project"]
        changed = [
            one["name"].rpartition("/")[2] for one in self._store.below(f"projects/{project}/services")
        ]
        found = [
            self.describe(project, service)
            for service in sorted({*changed, *self._initial(project)})
            if self.is_on(project, service)
        ]
        return build_list_response(request, "services", found, MAX_PAGE_SIZE)

    def _enable(self, request: RestRequest) -> Resource:
        return self._switch_one(request, "ENABLED", "Enable")

    def _disable(self, request: RestRequest) -> Resource:
        return self._switch_one(request, "DISABLED", "Disable")

    def _switch_one(self, request: RestRequest, state: str, verb: str) -> Resource:
        project, service = request.ids["project"], request.ids["service"]
        self._switch(project, [service], state)
        shown = {"service": self.describe(project, service)}
        return self._operations.finish("", f"{_KINDS}.v1.{verb}ServiceResponse", shown)

    def _batch_enable(self, request: RestRequest) -> Resource:
        services = request.body.get("serviceIds")
        if not isinstance(services, list) or not 0 < len(services) <= MAX_BATCH:
            raise invalid_argument(f"serviceIds: from 1 to {MAX_BATCH} names")
        self._switch(request.ids["project"], services, "ENABLED")
        enabled = [self.describe(request.ids["project"], one) for one in services]
        return self._operations.finish("", f"{_KINDS}.v1.BatchEnableServicesResponse", {"services": enabled})

    def _batch_get(self, request: RestRequest) -> Resource:
        named = [value.rpartition("/")[2] for key, value in request.parameters if key == "names"]
        return {"services": [self.describe(request.ids["project"], service) for service in named]}

    def _agent(self, request: RestRequest) -> Resource:
        project, service = request.ids["project"], request.ids["service"]
        agent = {"email": self._agents.generate(project, service)}
        return self._operations.finish("", f"{_KINDS}.v1beta1.ServiceIdentity", agent)

    def _switch(self, project: str, services: Iterable[object], state: str) -> None:
        named = [str(service) for service in services]
        if wrong := [one for one in named if one not in NEW_PROJECT | APPLICATION | _OTHERS]:
            said = f"Not found or permission denied for service(s): {', '.join(wrong)}."
            raise StatusError(grpc.StatusCode.PERMISSION_DENIED, said)
        self._store.put(*({"name": f"projects/{project}/services/{one}", "state": state} for one in named))
