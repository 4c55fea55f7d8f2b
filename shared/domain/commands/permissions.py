"""May this credential say that command? Pure; every objection is named."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.core.codec import FrozenStruct
from shared.core.durations import format_duration
from shared.domain.commands.credential import Credential, CredentialKind, command_fingerprint
from shared.domain.commands.registry import COMMAND_RULES
from shared.domain.policy.operator_identity import IdentityRules, Principal, Role
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy

ISSUER_CLOCK_SKEW_TOLERANCE = timedelta(seconds=10)
"""So far may our clock be behind the issuer's."""


class PermissionRequest(FrozenStruct):
    """What matters of a command here."""

    verb: str
    fingerprint: str
    """`shared.domain.commands.credential.command_fingerprint`."""
    override: bool = False
    auto_confirm: bool = False
    public: bool = False
    groups: tuple[str, ...] = ()
    """As written, aliases included; with no functions either, it concerns the whole system."""
    functions: tuple[str, ...] = ()
    scenario: str = ScenarioName.FUNCTIONS
    severity: Severity | None = Severity.CRITICAL
    """Of a rollback as ordered, else of the incident that it is about; None: it is about none."""

    @classmethod
    def from_content(cls, content: Mapping[str, Any], incident: Severity | None = None) -> PermissionRequest:
        """Return what a command's JSON asks; `incident`: the named one's severity, or the worst."""
        return cls(
            verb=str(content.get("command")),
            fingerprint=command_fingerprint(content),
            override=bool(content.get("override")),
            auto_confirm=bool(content.get("auto_confirm")),
            public=bool(content.get("public")),
            groups=_names(content.get("groups")),
            functions=_names(content.get("functions")),
            scenario=str(content.get("scenario", ScenarioName.FUNCTIONS)),
            severity=_severity(content, incident),
        )


def needed_role(asked: PermissionRequest, policies: Collection[Policy]) -> Role:
    """Return the highest role that the table or a policy asks; for unknown verbs, admin."""
    role = max(_role_of(verb, policies) for verb in _verbs(asked))
    return max(role, Role.COMMANDER) if asked.override else role


def _role_of(verb: str, policies: Collection[Policy]) -> Role:
    default = COMMAND_RULES[verb].role if verb in COMMAND_RULES else Role.ADMIN
    return max((policy.identity.roles.get(verb, default) for policy in policies), default=default)


def _verbs(asked: PermissionRequest) -> tuple[str, ...]:
    """Everything that it says: an order that confirms itself is an approval, too."""
    implied = (("approve", asked.auto_confirm), ("publish", asked.public))
    return (asked.verb, *(verb for verb, said in implied if said))


def objections(
    asked: PermissionRequest, credential: Credential, policies: Collection[Policy], said_at: datetime
) -> list[str]:
    """Return every objection to a command; empty: the credential might give it then."""
    found = []
    if credential.expires_at <= said_at:
        found.append("the token has expired")
    if credential.issued_at - said_at > ISSUER_CLOCK_SKEW_TOLERANCE:
        found.append("the token was issued in the future")
    if credential.kind is CredentialKind.PERSON:
        found += _person_objections(asked, credential, policies, said_at)
    else:
        found += _service_account_objections(asked, credential, policies)
    return found


def _person_objections(
    asked: PermissionRequest, credential: Credential, policies: Collection[Policy], said_at: datetime
) -> Iterator[str]:
    needed = needed_role(asked, policies)
    if credential.role is None:
        yield f"{credential.name} has no role; {_describe_request(asked)} needs {needed.name.lower()}"
    elif credential.role < needed:
        has = credential.role.name.lower()
        yield f"{credential.name} is {has}; {_describe_request(asked)} needs {needed.name.lower()}"
    if not credential.second_factor:
        yield "signed in without a second factor"
    within = min((policy.identity.auth_within for policy in policies), default=IdentityRules().auth_within)
    if said_at - credential.authenticated_at > within:
        yield f"signed in more than {format_duration(within)} ago: sign in again"
    if credential.authenticated_at - said_at > ISSUER_CLOCK_SKEW_TOLERANCE:
        yield "signed in in the future"


def _service_account_objections(
    asked: PermissionRequest, credential: Credential, policies: Collection[Policy]
) -> Iterator[str]:
    if credential.audience != asked.fingerprint:
        yield "the token's audience is not the hash of this command"
    if asked.override:
        yield "an override needs a person"
    if asked.verb in COMMAND_RULES and COMMAND_RULES[asked.verb].persons_only:
        yield f"{asked.verb} needs a person"
    if not policies:
        yield f"{credential.name} is not allow-listed"
    for policy in policies:
        principal = policy.identity.principal(credential.name)
        if principal is None:
            yield f"{credential.name} is not allow-listed for {policy.system}"
        else:
            yield from _principal_limit_objections(principal, asked, policy)


def _principal_limit_objections(
    principal: Principal, asked: PermissionRequest, policy: Policy
) -> Iterator[str]:
    who = f"{principal.email} in {policy.system}"
    for verb in _verbs(asked):
        if verb not in principal.commands:
            yield f"{who} may not say {verb}"
    if principal.groups and asked.scenario != ScenarioName.FUNCTIONS:
        yield f"{who} is limited to groups of functions: not the scenario {asked.scenario}"
    if principal.groups and (beyond := _touched_groups(asked, policy) - set(principal.groups)):
        yield f"{who} is limited to {', '.join(principal.groups)}: not {', '.join(sorted(beyond))}"
    if asked.severity is not None and asked.severity not in principal.severities:
        yield f"{who} is limited to {', '.join(principal.severities)}: not {asked.severity}"


def _touched_groups(asked: PermissionRequest, policy: Policy) -> set[str]:
    """Return a command's groups, all by default; an unknown name stands for itself."""
    if not asked.groups and not asked.functions:
        return set(policy.groups)
    named = {own for name in asked.groups for own in policy.groups_by_name(name) or (name,)}
    return named | {policy.functions.get(one, one) for one in asked.functions}


def _describe_request(asked: PermissionRequest) -> str:
    return f"an override of {asked.verb}" if asked.override else asked.verb


def _severity(content: Mapping[str, Any], incident: Severity | None) -> Severity | None:
    """How bad what a command acts on is: the worst, where nobody knows; None: it is no trouble."""
    if content.get("command") == "rollback":
        said = content.get("severity")
        return Severity(said) if said in tuple(Severity) else Severity.CRITICAL
    return (incident or Severity.CRITICAL) if "incident" in content else None


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
