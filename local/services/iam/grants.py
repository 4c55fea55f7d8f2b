"""What Google refuses of a grant: members, accounts and roles that are not there, conditions."""

import re
from collections.abc import Callable, Container

import grpc

from local.core.grpc_services import StatusError
from local.core.iam_policies import Grant
from local.core.rest import invalid_argument
from local.services.iam.conditions import check_condition
from local.services.iam.permissions import BASIC_ROLES, read_predefined_roles
from local.services.logging.configuration import SHARED_WRITER
from local.services.workload_identity.agents import AGENT_DOMAINS

_ADDRESS = r"[^@\s]+@[^@\s]+\.[^@\s]+"
_MEMBER_PATTERN = re.compile(
    rf"allUsers|allAuthenticatedUsers|(?:user|group|serviceAccount):{_ADDRESS}"
    r"|(?:domain|deleted|principal|principalSet|projectOwner|projectEditor|projectViewer):\S+"
)
_PUBLIC = frozenset(("allAuthenticatedUsers", "allUsers"))
_AGENT = r"service-(?:project-)?(\d+)@"
"""Begins the address of an agent of one of Google's services."""
_ACCOUNT_OF_PROJECT_PATTERN = re.compile(
    r"(?:(\d+)-compute@developer|(\d+)@cloud(?:build|services)|([^@]+)@appspot"
    rf"|{_AGENT}(?:{'|'.join(sorted(AGENT_DOMAINS))})\.iam)\.gserviceaccount\.com"
)
"""An account that a project has by itself, with the project's number or id."""
_LATE_AGENT_PATTERN = re.compile(
    rf"{_AGENT}gcp-sa-(?:logging|monitoring-notification|pubsub|scc-notification)\..+"
)
"""An agent that is not there before somebody needs it; most others are there with their APIs."""


class GrantRules:
    """Refuses grants as Google does."""

    def __init__(
        self,
        has_account: Callable[[str], bool],
        has_agent: Callable[[str], bool],
        has_role: Callable[[str], bool],
        projects: Container[str],
    ) -> None:
        """The first two know accounts by address, `has_role` custom roles by name.

        `projects` has the ids and the numbers of those that are there.
        """
        self._has_account = has_account
        self._has_agent = has_agent
        self._has_role = has_role
        self._projects = projects

    def check(self, grant: Grant) -> None:
        """Raises: StatusError INVALID_ARGUMENT."""
        if not _MEMBER_PATTERN.fullmatch(grant.member):
            raise invalid_argument(f"Invalid member: {grant.member}")
        kind, _, email = grant.member.partition(":")
        if kind == "serviceAccount" and not self._is_there(email):
            raise invalid_argument(f"Service account {email} does not exist.")
        if not grant.role.startswith("roles/"):
            if not self._has_role(grant.role):
                raise invalid_argument(f"Role ({grant.role}) does not exist in the resource's hierarchy.")
        elif grant.role not in read_predefined_roles():
            raise invalid_argument(f"Role {grant.role} is not supported for this resource.")
        if grant.condition:
            if grant.role in BASIC_ROLES or kind in _PUBLIC:
                raise invalid_argument(f"A grant of {grant.role} to {grant.member} takes no condition.")
            check_condition(grant.condition)

    def require_account(self, name: str) -> None:
        """Return if an account is there, or none is named. Raises: StatusError NOT_FOUND."""
        email = name.rpartition("/")[2]
        if email and not self._is_there(email):
            said = f"Service account projects/-/serviceAccounts/{email} was not found."
            raise StatusError(grpc.StatusCode.NOT_FOUND, said)

    def _is_there(self, email: str) -> bool:
        if of_project := _ACCOUNT_OF_PROJECT_PATTERN.fullmatch(email):
            project = of_project[of_project.lastindex or 0]
            return project in self._projects and (
                not _LATE_AGENT_PATTERN.fullmatch(email) or self._has_agent(email)
            )
        return f"serviceAccount:{email}" == SHARED_WRITER or self._has_account(email)
