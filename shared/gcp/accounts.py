"""What service accounts may do in a project."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from msgspec import Struct

from shared.gcp.rest import Rest

HOST: Final = "cloudresourcemanager.googleapis.com"
PERMISSIONS: Final = ("resourcemanager.projects.getIamPolicy",)

_ACCOUNT = "serviceAccount:"
_WITH_CONDITIONS = {"options": {"requestedPolicyVersion": 3}}
"""An older version of a policy leaves conditions out (google/iam/v1/options.proto)."""


class _Condition(Struct, frozen=True):
    expression: str = ""


class _Binding(Struct, frozen=True):
    role: str
    members: list[str] = []
    condition: _Condition | None = None


class _Policy(Struct, frozen=True):
    bindings: list[_Binding] = []


class ProjectAccounts:
    """An Accounts over the project's own policy: what folders and resources grant is not seen."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._path = f"/v3/projects/{project}:getIamPolicy"

    def roles(self) -> dict[str, tuple[str, ...]]:
        """The roles of each service account that has any, by its address, in order."""
        policy = self._rest.post(self._path, _WITH_CONDITIONS, _Policy)
        roles: dict[str, set[str]] = defaultdict(set)
        for binding in policy.bindings:
            condition = f" if {binding.condition.expression}" if binding.condition else ""
            for member in binding.members:
                if member.startswith(_ACCOUNT):
                    roles[member.removeprefix(_ACCOUNT)].add(f"{binding.role}{condition}")
        return {account: tuple(sorted(held)) for account, held in roles.items()}
