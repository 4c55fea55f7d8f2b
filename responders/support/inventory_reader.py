"""The whole inventory of a system, read part by part beside each other."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.support.parallel_calls import Call, Calls, answer_or_none, call_all
from shared.core.errors import RollbackError
from shared.domain.deployments.inventory.inventory_parts import (
    FunctionState,
    Grants,
    RulesRelease,
    RulesSource,
    WholeInventory,
    accounts_of,
    codebases_of,
)
from shared.domain.policy.function_groups import resolve_groups
from shared.domain.policy.resources import Resources
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports
from shared.ports.resources import ProtectedResources

CLIENT_TEMPLATE_NAMESPACE = "firebase"
"""The namespace of the Remote Config template that clients are served from."""


def read_inventory(ports: Ports, policy: Policy) -> WholeInventory:
    """Read what is live, in two rounds of calls; a part without a whole answer is None."""
    resources, its = policy.resources, ports.system(policy.system)
    answers = call_all(ports, {"functions": its.platform.functions, **_calls(resources, its.resources)})
    functions = answer_or_none(answers["functions"])
    callable_ones = _select_services(functions, policy) if resources.invokers else {}
    names = _map(answer_or_none(answers.get("secrets", ())), partial(_names_with_prefix, resources.secrets))
    releases = _map(
        answer_or_none(answers.get("rules", {})),
        lambda found: {name: found[name] for name in resources.releases if name in found},
    )
    rulesets = {one.ruleset for one in (releases or {}).values()}
    further: Calls = {
        **{f"secret {name}": partial(its.resources.secrets.versions, name) for name in names or ()},
        **{f"ruleset {name}": partial(its.resources.rules.ruleset, name) for name in rulesets},
        **{
            f"invokers {name}": partial(its.platform.invokers, service)
            for name, service in (callable_ones or {}).items()
        },
    }
    told = call_all(ports, further)
    return WholeInventory(
        functions=functions,
        sites=_map(
            _select_complete(answers, "site ", resources.hosting_sites),
            lambda sites: {name: one for name, one in sites.items() if one is not None},
        ),
        remote_config=_select_complete(
            answers, "template ", (CLIENT_TEMPLATE_NAMESPACE,) if resources.remote_config else ()
        ),
        rules=_add_rule_sources(releases, _select_complete(told, "ruleset ", rulesets)),
        identity=answer_or_none(answers.get("identity", {})),
        indexes=_map(
            _select_complete(answers, "indexes ", resources.databases),
            lambda parts: {name: one for part in parts.values() for name, one in part.items()},
        ),
        secrets=None if names is None else _versions(_select_complete(told, "secret ", names or ())),
        schedules=_map(
            answer_or_none(answers.get("schedules", {})),
            lambda jobs: {name: jobs[name] for name in _names_with_prefix(resources.schedules, jobs)},
        ),
        accounts=_runtime_account_roles(answer_or_none(answers["accounts"]), functions)
        if resources.accounts
        else {},
        invokers=None if callable_ones is None else _select_complete(told, "invokers ", callable_ones),
    )


def _calls(resources: Resources, estate: ProtectedResources) -> Calls:
    """What the policy names, but the versions of the secrets."""
    sites, databases = resources.hosting_sites, resources.databases
    calls: dict[str, Call] = {
        **{f"site {name}": partial(estate.hosting.site, name) for name in sites},
        **{f"indexes {name}": partial(estate.indexes.of, name) for name in databases},
    }
    if resources.remote_config:
        calls[f"template {CLIENT_TEMPLATE_NAMESPACE}"] = estate.remote_config.template
    if resources.releases:
        calls["rules"] = estate.rules.releases
    if resources.identity:
        calls["identity"] = estate.identity.settings
    if resources.secrets is not None:
        calls["secrets"] = estate.secrets.names
    if resources.schedules is not None:
        calls["schedules"] = estate.schedules.jobs
    if resources.accounts:
        calls["accounts"] = estate.accounts.roles
    return calls


def _select_services(functions: Mapping[str, FunctionState] | None, policy: Policy) -> dict[str, str] | None:
    """The services of the policy's functions; None: it is not known which there are."""
    if functions is None:
        return None
    members = resolve_groups(policy, codebases_of(functions)).functions
    return {name: one.service for name in members if (one := functions.get(name)) and one.service}


def _select_complete(answers: Mapping[str, Any], prefix: str, names: Iterable[str]) -> dict[str, Any] | None:
    """One answer per name; None when any is missing."""
    chosen = {name: answers[f"{prefix}{name}"] for name in names}
    if any(isinstance(answer, RollbackError) for answer in chosen.values()):
        return None
    return chosen


def _map(found: Any, change: Callable[[Any], Any]) -> Any:
    """What becomes of a whole answer; None where there is none."""
    return None if found is None else change(found)


def _names_with_prefix(beginning: str | None, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(beginning or "")]


def _add_rule_sources(
    releases: Mapping[str, RulesRelease] | None, sources: Mapping[str, RulesSource | None] | None
) -> dict[str, RulesRelease] | None:
    """The releases with what their rulesets say; of one that is gone already nothing is kept."""
    if releases is None or sources is None:
        return None
    return {
        name: replace(release, source=sources[release.ruleset] or ()) for name, release in releases.items()
    }


def _versions(secrets: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """By `SECRET/VERSION`; None when those of any secret are missing."""
    if secrets is None:
        return None
    return {f"{secret}/{name}": one for secret, each in secrets.items() for name, one in each.items()}


def _runtime_account_roles(
    roles: Grants | None, functions: Mapping[str, FunctionState] | None
) -> Grants | None:
    """Return the roles of runtime accounts; None where these are not known."""
    if roles is None or functions is None:
        return None
    return {account: roles.get(account, ()) for account in sorted(accounts_of(functions.values()))}
