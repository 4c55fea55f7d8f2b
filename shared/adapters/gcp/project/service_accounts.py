"""What service accounts may do in a project, and whether they are enabled."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from shared.adapters.gcp.rest import Answer, Rest
from shared.core.errors import Gone
from shared.domain.deployments.inventory.inventory_parts import AccountState, Grants

HOST = "cloudresourcemanager.googleapis.com"
IAM_HOST = "iam.googleapis.com"
GRANTS_PERMISSIONS = ("resourcemanager.projects.getIamPolicy",)
PERMISSIONS = (*GRANTS_PERMISSIONS, "iam.serviceAccounts.get")
ROLES_PERMISSIONS = ("iam.roles.get",)

_ACCOUNT = "serviceAccount:"
_PROJECT_ACCOUNT_DOMAIN = ".iam.gserviceaccount.com"
"""How addresses of accounts that somebody made end, behind the project of theirs; those that
Google makes for a project end otherwise (https://cloud.google.com/iam/docs/service-account-types,
read 2026-11)."""
_WITH_CONDITIONS = {"options": {"requestedPolicyVersion": 3}}
"""An older version of a policy leaves conditions out (google/iam/v1/options.proto)."""


class _Condition(Answer):
    expression: str = ""


class _Binding(Answer):
    role: str
    members: list[str] = []
    condition: _Condition | None = None


class _Policy(Answer):
    bindings: list[_Binding] = []


class _Role(Answer):
    included_permissions: list[str] = []
    deleted: bool = False


class _ServiceAccount(Answer):
    disabled: bool = False


@dataclass
class ProjectAccounts:
    """An Accounts over the project's own policy, without inherited grants; `iam`: accounts' API."""

    _rest: Rest
    _iam: Rest
    _project: str

    def roles(self) -> Grants:
        roles = defaultdict(set)
        for binding in self._list_bindings():
            condition = f" if {binding.condition.expression}" if binding.condition else ""
            for member in binding.members:
                if member.startswith(_ACCOUNT):
                    roles[member.removeprefix(_ACCOUNT)].add(f"{binding.role}{condition}")
        return {account: tuple(sorted(held)) for account, held in roles.items()}

    def permissions(self, role: str) -> frozenset[str]:
        found = self._iam.get(f"/v1/{role}", _Role)
        return frozenset(() if found.deleted else found.included_permissions)

    def grants(self) -> Grants:
        return members_by_role((binding.role, binding.members) for binding in self._list_bindings())

    def _list_bindings(self) -> list[_Binding]:
        path = f"/v3/projects/{self._project}:getIamPolicy"
        return self._rest.post(path, _WITH_CONDITIONS, _Policy).bindings

    def state(self, account: str) -> AccountState:
        """Whether anything can run as the account of that address, of this project or its own.

        Asked without the wildcard for the project, which has an account that is gone answered 403
        (https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/get, read
        2026-11).
        """
        project = quote(account_project(account) or self._project, safe=":")
        path = f"/v1/projects/{project}/serviceAccounts/{quote(account, safe='@')}"
        try:
            found = self._iam.get(path, _ServiceAccount)
        except Gone:
            return AccountState.GONE
        return AccountState.DISABLED if found.disabled else AccountState.ENABLED


def account_project(account: str) -> str:
    """The project that an account was made in, by its address; empty: that does not tell."""
    place = account.rpartition("@")[2]
    if not place.endswith(_PROJECT_ACCOUNT_DOMAIN):
        return ""
    project, _, domain = place.removesuffix(_PROJECT_ACCOUNT_DOMAIN).partition(".")
    return f"{domain}:{project}" if domain else project


def members_by_role(bindings: Iterable[tuple[str, Iterable[str]]]) -> Grants:
    """Return the members of each role, which has a binding of its own under each condition."""
    members: dict[str, set[str]] = {}
    for role, named in bindings:
        members.setdefault(role, set()).update(named)
    return {role: tuple(sorted(named)) for role, named in members.items()}
