"""IAM policies of resources: read, replaced under an etag, with conditions (version 3).

Policies are stored and enforced nowhere. Shapes:
https://cloud.google.com/iam/docs/reference/rest/v1/Policy
(read 2026-11).
"""

import uuid
from collections.abc import Callable, Sequence
from typing import NamedTuple

import grpc
import msgspec

from local.application.names import digest
from local.core.grpc_services import StatusError
from local.core.resource_store import ResourceStore
from local.core.rest import Resource, RestMethod, RestRequest, invalid_argument
from shared.core.codec import from_builtins

CONDITIONAL_VERSION = 3
_EMPTY_ETAG = "ACAB"
"""The etag of a policy that nobody has set."""
_DEFAULT_MASK = "bindings,etag"
_VERSION_OPTION = "options.requestedPolicyVersion"


class _Options(msgspec.Struct, forbid_unknown_fields=True):
    requestedPolicyVersion: int | str = 0  # noqa: N815 - Google's name


class _Condition(msgspec.Struct, forbid_unknown_fields=True):
    expression: str
    title: str = ""
    description: str = ""
    location: str = ""


class _Binding(msgspec.Struct, forbid_unknown_fields=True):
    role: str
    members: list[str] = []
    condition: _Condition | None = None


class _AuditLogConfig(msgspec.Struct, forbid_unknown_fields=True):
    logType: str  # noqa: N815 - Google's name
    exemptedMembers: list[str] = []  # noqa: N815 - Google's name


class _AuditConfig(msgspec.Struct, forbid_unknown_fields=True):
    service: str
    auditLogConfigs: list[_AuditLogConfig]  # noqa: N815 - Google's name


class _Policy(msgspec.Struct, forbid_unknown_fields=True):
    bindings: list[_Binding] = []
    auditConfigs: list[_AuditConfig] = []  # noqa: N815 - Google's name
    etag: str = ""
    version: int = 0


class Grant(NamedTuple):
    """One role of one member."""

    role: str
    member: str
    condition: str
    """Its expression; "" for none."""


GrantCheck = Callable[[Grant], None]
"""Refuses a grant that Google refuses. Raises: StatusError INVALID_ARGUMENT."""


class IamPolicies:
    """The policies of the resources of one service, by their names."""

    def __init__(self, store: ResourceStore, check: GrantCheck) -> None:
        self._store = store
        self._check = check

    def calls(
        self, prefix: str, path: str, read_by: str, find_name: Callable[[RestRequest], str]
    ) -> tuple[RestMethod, ...]:
        """What is served of a kind: `find_name` returns the resource of a request, or refuses."""

        def read(request: RestRequest) -> Resource:
            name = find_name(request)
            options = from_builtins(request.body.get("options", {}), _Options)
            asked = request.query.get(_VERSION_OPTION) or options.requestedPolicyVersion
            return self.read(name, asked)

        def replace(request: RestRequest) -> Resource:
            return self.replace(
                find_name(request), request.body.get("policy"), request.body.get("updateMask")
            )

        def test(request: RestRequest) -> Resource:
            find_name(request)
            return {"permissions": request.body.get("permissions", [])}

        options = {"options": _Options} if read_by == "POST" else {}
        policy = {"policy": Resource, "updateMask": str}
        tested = {"permissions": list[str]}
        return (
            RestMethod(
                *(f"{prefix}.getIamPolicy", read_by, f"{path}:getIamPolicy", read),
                *(options, (_VERSION_OPTION,)),
            ),
            RestMethod(f"{prefix}.setIamPolicy", "POST", f"{path}:setIamPolicy", replace, policy),
            RestMethod(f"{prefix}.testIamPermissions", "POST", f"{path}:testIamPermissions", test, tested),
        )

    def read(self, name: str, version: object = CONDITIONAL_VERSION) -> Resource:
        """Return a resource's policy, in that version. Raises: StatusError INVALID_ARGUMENT."""
        if name not in self._store:
            return show_policy({"etag": _EMPTY_ETAG}, version)
        stored = self._store.find(name).items()
        return show_policy({key: it for key, it in stored if key != "name"}, version)

    def replace(self, name: str, asked: object, mask: object = None) -> Resource:
        """Store a policy as a resource's. Raises: StatusError INVALID_ARGUMENT or ABORTED."""
        with self._store.lock:
            policy = replace_policy(self.read(name), asked, mask, self._check)
            self._store.put({**policy, "name": name})
            return policy

    def forget(self, name: str) -> None:
        """Remove the policy of a resource that is deleted."""
        with self._store.lock:
            if name in self._store:
                self._store.write({name: None})


def replace_policy(before: Resource, asked: object, mask: object, check: GrantCheck) -> Resource:
    """Return the policy that takes the place of another one, with an etag of its own.

    Raises: StatusError ABORTED for another etag than that of `before`, INVALID_ARGUMENT for no
    policy, and for a grant that `check` refuses and that was not there.
    """
    if not isinstance(asked, dict):
        raise invalid_argument("policy is missing")
    try:
        policy = from_builtins(asked, _Policy)
    except msgspec.ValidationError as error:
        raise invalid_argument(f"Invalid value at 'policy': {error}") from error
    if policy.version not in (0, 1, CONDITIONAL_VERSION):
        raise invalid_argument(f"policy.version {policy.version} is none of 0, 1 and 3")
    paths = {path.strip().removeprefix("policy.") for path in str(mask or _DEFAULT_MASK).split(",")}
    if unknown := paths - {"bindings", "etag", "version", "auditConfigs", "audit_configs"}:
        raise invalid_argument(f"updateMask: unknown path {', '.join(sorted(unknown))}")
    if policy.etag and policy.etag != before.get("etag"):
        raise StatusError(
            grpc.StatusCode.ABORTED, "There were concurrent policy changes; read the policy again."
        )
    _check_conditions(policy)
    present = from_builtins(before.get("bindings", []), list[_Binding])
    known = {grant for one in present for grant in _grants(one)}
    for grant in (grant for one in policy.bindings for grant in _grants(one) if grant not in known):
        check(grant)
    kept = {"bindings": before.get("bindings", []), "auditConfigs": before.get("auditConfigs", [])}
    if "bindings" in paths:
        kept["bindings"] = [one for one in asked.get("bindings", []) if one.get("members")]
    if paths & {"auditConfigs", "audit_configs"}:
        kept["auditConfigs"] = asked.get("auditConfigs", [])
    return {
        "version": find_version(kept["bindings"]),
        "etag": uuid.uuid4().hex[:12],
        **{key: it for key, it in kept.items() if it},
    }


def find_version(bindings: Sequence[Resource]) -> int:
    """Return the version of the policy that has these bindings."""
    return CONDITIONAL_VERSION if any(one.get("condition") for one in bindings) else 1


def show_policy(policy: Resource, version: object) -> Resource:
    """Return a policy in the version that a client has asked for.

    Below version 3, conditional roles have names of no role. Raises: StatusError INVALID_ARGUMENT.
    """
    if str(version) not in ("0", "1", "3"):
        raise invalid_argument(f"requestedPolicyVersion {version} is none of 0, 1 and 3")
    if str(version) == "3" or policy.get("version") != CONDITIONAL_VERSION:
        return policy
    return {**policy, "version": 1, "bindings": [_hide_condition(one) for one in policy["bindings"]]}


def _check_conditions(policy: _Policy) -> None:
    conditions = [one.condition for one in policy.bindings if one.condition is not None]
    if conditions and policy.version != CONDITIONAL_VERSION:
        raise invalid_argument("A policy with conditions must have version 3.")
    if any(not one.expression for one in conditions):
        raise invalid_argument("A condition must have an expression.")
    if any(not one.title for one in conditions):
        raise invalid_argument("A condition must have a title.")


def _grants(binding: _Binding) -> list[Grant]:
    expression = binding.condition.expression if binding.condition else ""
    return [Grant(binding.role, member, expression) for member in binding.members]


def _hide_condition(binding: Resource) -> Resource:
    """A conditional binding for clients that know no conditions."""
    if not binding.get("condition"):
        return binding
    mark = digest(repr(sorted(binding["condition"].items())))[:20]
    return {"role": f"{binding['role']}_withcond_{mark}", "members": binding["members"]}
