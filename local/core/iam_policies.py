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
            return self.read(name, _policy_version(asked))

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

    def read(self, name: str, version: int = CONDITIONAL_VERSION) -> Resource:
        """Return a resource's policy; below version 3, conditional roles under names of no role."""
        if name not in self._store:
            return {"etag": _EMPTY_ETAG}
        policy = {key: it for key, it in self._store.find(name).items() if key != "name"}
        if version < CONDITIONAL_VERSION and policy.get("version") == CONDITIONAL_VERSION:
            policy |= {"version": 1, "bindings": [_hide_condition(one) for one in policy["bindings"]]}
        return policy

    def replace(self, name: str, asked: object, mask: object = None) -> Resource:
        """Store a policy as a resource's. Raises: StatusError INVALID_ARGUMENT or ABORTED."""
        if not isinstance(asked, dict):
            raise invalid_argument("policy is missing")
        try:
            policy = from_builtins(asked, _Policy)
        except msgspec.ValidationError as error:
            raise invalid_argument(f"Invalid value at 'policy': {error}") from error
        if policy.version not in (0, 1, CONDITIONAL_VERSION):
            raise invalid_argument(f"policy.version {policy.version} is none of 0, 1 and 3")
        if any(one.condition for one in policy.bindings) and policy.version != CONDITIONAL_VERSION:
            raise invalid_argument("A policy with conditions must have version 3.")
        paths = {path.strip().removeprefix("policy.") for path in str(mask or _DEFAULT_MASK).split(",")}
        if unknown := paths - {"bindings", "etag", "version", "auditConfigs", "audit_configs"}:
            raise invalid_argument(f"updateMask: unknown path {', '.join(sorted(unknown))}")
        with self._store.lock:
            before = self.read(name)
            if policy.etag and policy.etag != before["etag"]:
                raise StatusError(grpc.StatusCode.ABORTED, "There were concurrent policy changes.")
            check_grants(asked.get("bindings", []), before.get("bindings", []), self._check)
            kept = {"bindings": before.get("bindings", []), "auditConfigs": before.get("auditConfigs", [])}
            if "bindings" in paths:
                kept["bindings"] = [one for one in asked.get("bindings", []) if one.get("members")]
            if paths & {"auditConfigs", "audit_configs"}:
                kept["auditConfigs"] = asked.get("auditConfigs", [])
            conditional = any(one.get("condition") for one in kept["bindings"])
            self._store.put(
                {
                    "name": name,
                    "version": CONDITIONAL_VERSION if conditional else 1,
                    "etag": uuid.uuid4().hex[:12],
                    **{key: it for key, it in kept.items() if it},
                }
            )
            return self.read(name)

    def forget(self, name: str) -> None:
        """Remove the policy of a resource that is deleted."""
        with self._store.lock:
            if name in self._store:
                self._store.write({name: None})


def check_grants(asked: object, present: Sequence[Resource], check: GrantCheck) -> None:
    """Check the grants that bindings add to those that are there.

    Raises: StatusError INVALID_ARGUMENT, also for what is no binding.
    """
    try:
        bindings = from_builtins(asked, list[_Binding])
    except msgspec.ValidationError as error:
        raise invalid_argument(f"Invalid value at 'policy.bindings': {error}") from error
    known = {grant for one in from_builtins(present, list[_Binding]) for grant in _grants(one)}
    for grant in (grant for one in bindings for grant in _grants(one) if grant not in known):
        check(grant)


def _grants(binding: _Binding) -> list[Grant]:
    expression = binding.condition.expression if binding.condition else ""
    return [Grant(binding.role, member, expression) for member in binding.members]


def _hide_condition(binding: Resource) -> Resource:
    """A conditional binding for clients that know no conditions."""
    if not binding.get("condition"):
        return binding
    mark = digest(repr(sorted(binding["condition"].items())))[:20]
    return {"role": f"{binding['role']}_withcond_{mark}", "members": binding["members"]}


def _policy_version(asked: object) -> int:
    if str(asked) not in ("0", "1", "3"):
        raise invalid_argument(f"requestedPolicyVersion {asked} is none of 0, 1 and 3")
    return int(str(asked))
