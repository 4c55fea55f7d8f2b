"""Who may call a service; kept, and enforced nowhere."""

from typing import Any

import grpc
from google.iam.v1.iam_policy_pb2 import TestIamPermissionsResponse
from google.iam.v1.policy_pb2 import Policy

from local.application import Application
from local.application.applications import ApplicationRegistry, parse_resource_name
from local.application.service import ApplicationService
from local.core.grpc_services import StatusError
from local.core.iam_messages import NO_POLICY_ETAG, replace_policy, show_policy
from local.core.iam_policies import GrantCheck
from local.core.journal import Journal
from local.services.plain_functions import PlainFunctions
from local.services.run import messages

INVOKER = "roles/run.invoker"
_JOURNAL_SERVICE = "run-policies"


class ServicePolicies:
    """The policies of services; that of an application's service has its invokers alone."""

    def __init__(self, estate: ApplicationRegistry, plain: PlainFunctions, journal: Journal) -> None:
        self._estate = estate
        self._plain = plain
        self._journal = journal
        self.check_grant: GrantCheck = lambda _: None
        """Refuses a new grant."""
        self._kept = {name: Policy.FromString(value) for name, value in journal.read(_JOURNAL_SERVICE)}

    def GetIamPolicy(self, request: Any, _context: grpc.ServicerContext) -> Policy:
        """Who may call a service."""
        return show_policy(self._current(request.resource, self._find_owner(request.resource)), request)

    def SetIamPolicy(self, request: Any, _context: grpc.ServicerContext) -> Policy:
        """The policy as it is kept; ABORTED when the etag sent is not the current one."""
        name, owned = request.resource, self._find_owner(request.resource)
        policy = replace_policy(self._current(name, owned), request, self.check_grant)
        if owned is None:
            self._journal.write(_JOURNAL_SERVICE, [(self._key(name), policy.SerializeToString())])
            self._kept[self._key(name)] = policy
            return policy
        for binding in policy.bindings:
            if binding.role != INVOKER or binding.HasField("condition"):
                raise StatusError(
                    grpc.StatusCode.UNIMPLEMENTED, f"Of an application's service only {INVOKER} is kept."
                )
        application, service = owned
        members = sorted({member for binding in policy.bindings for member in binding.members})
        application.allow(service.function, tuple(members))
        return self._current(name, self._find_owner(name))

    def TestIamPermissions(self, request: Any, _context: grpc.ServicerContext) -> TestIamPermissionsResponse:
        """All the permissions that were asked for."""
        self._find_owner(request.resource)
        return TestIamPermissionsResponse(permissions=request.permissions)

    def _find_owner(
        self, name: str, *, allow_missing: bool = False
    ) -> tuple[Application, ApplicationService] | None:
        """The application's service of that name; None: it is a plain function's, or missing.

        Raises: StatusError NOT_FOUND.
        """
        location, (service,) = parse_resource_name(name, "services")
        try:
            return self._estate.service(location, service)
        except StatusError:
            if not allow_missing:
                self._plain.find_service(location, service)
            return None

    def _current(self, name: str, owned: tuple[Application, ApplicationService] | None) -> Policy:
        if owned is None:
            return self._kept.get(self._key(name), Policy(etag=NO_POLICY_ETAG))
        _, service = owned
        policy = Policy(version=1, etag=messages.etag(service).encode())
        if service.invokers:
            policy.bindings.add(role=INVOKER, members=service.invokers)
        return policy

    def _key(self, name: str) -> str:
        """The service and when it was made: a function that is there again has no policy yet."""
        location, (service,) = parse_resource_name(name, "services")
        found: Any = self._plain.find_service(location, service)
        return f"{name} {found.uid}"
