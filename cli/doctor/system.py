"""How one protected system stands to be rolled back: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from cli.doctor.finding import Finding, Verdict, named, unseen
from cli.screen import lasting
from shared.deployment import Deployment, Inventory, Status
from shared.errors import RollbackError
from shared.facts import Change, unrestorable
from shared.health import ProbeAnswer, Requests
from shared.inventory import WholeInventory
from shared.looks import is_fresh
from shared.policy import Mode, Policy, service_of
from shared.probing import Record, feeding
from shared.system import Controls, System, frozen
from shared.traffic import shares

COUNTED_WITHIN = timedelta(minutes=10)
"""The newest count is older than this only where nothing is asked, or nothing arrives."""


class Facts(Struct, frozen=True):
    """What was seen of a system; an error stands where nothing was."""

    policy: Policy
    now: datetime
    system: System | RollbackError
    controls: Controls | RollbackError
    deployments: Sequence[Deployment] | RollbackError
    """Newest first."""
    inventory: Inventory | RollbackError
    requests: Mapping[str, Requests] | RollbackError
    """Per service, within the last `COUNTED_WITHIN`."""
    probes: Mapping[str, ProbeAnswer | RollbackError]
    looks: Record | RollbackError
    """What the clock saw through the probes."""
    rest: WholeInventory
    """What there is beside the functions; None for each part that could not be read."""


def examined(facts: Facts) -> Iterator[Finding]:
    """Every finding, in the order of `CHECKS`."""
    yield from _mode(facts)
    yield _stable(facts)
    yield from _functions(facts)
    if not isinstance(facts.inventory, RollbackError):
        yield _services(facts, facts.inventory)
        yield _revisions(facts, facts.inventory)
        yield _routers(facts, facts.inventory)
    yield _quota(facts)
    yield _metrics(facts)
    yield from _probes(facts)
    yield from _looks(facts)
    yield from _rest(facts)


def _mode(facts: Facts) -> Iterator[Finding]:
    name = facts.policy.system
    for kept in (facts.system, facts.controls):
        if isinstance(kept, RollbackError):
            yield unseen("mode", name, kept)
            return
        if kept.pause is not None:
            to_do = (
                f"rollback resume {'--all' if isinstance(kept, Controls) else f'--system {name}'}"
            )
            yield Finding("mode", name, Verdict.DOUBTFUL, str(kept.pause), to_do)
        if (window := frozen(kept.freezes, facts.now)) is not None:
            yield Finding("mode", name, Verdict.DOUBTFUL, str(window), "rollback unfreeze")
    if isinstance(facts.system, System):
        mode = facts.system.mode
        off = "; automation is off until somebody promotes it" if mode is Mode.OBSERVE else ""
        yield Finding("mode", name, Verdict.WELL, f"{mode.name.lower()}{off}")


def _stable(facts: Facts) -> Finding:
    name = facts.policy.system
    if isinstance(facts.deployments, RollbackError):
        return unseen("stable", name, facts.deployments)
    stable = next((one for one in facts.deployments if one.status is Status.STABLE), None)
    if stable is None:
        why = "no deployment is STABLE: there is nothing to go back to"
        return Finding("stable", name, Verdict.WRONG, why, "rollback deployments baseline")
    if isinstance(facts.inventory, RollbackError):
        return unseen("stable", stable.id, facts.inventory)
    both = {*stable.functions} & {*facts.inventory} & {*facts.policy.functions}
    gone = [*unrestorable(Change(stable, dict.fromkeys(both, stable.at)), facts.inventory)]
    if gone:
        why = f"revisions of {named(gone)} are gone or do not start"
        to_do = "mark what is live now as stable, if it is: rollback deployments baseline"
        return Finding("stable", stable.id, Verdict.WRONG, why, to_do)
    why = f"the newest STABLE one; {len(both)} functions can go back to it"
    return Finding("stable", stable.id, Verdict.WELL, why)


def _functions(facts: Facts) -> Iterator[Finding]:
    name = facts.policy.project
    if isinstance(facts.inventory, RollbackError):
        yield unseen("functions", name, facts.inventory)
        return
    missing = {*facts.policy.functions} - {*facts.inventory}
    unknown = {*facts.inventory} - {*facts.policy.functions}
    if missing:
        why = f"in the policy and not live, or without a service: {named(missing)}"
        yield Finding("functions", name, Verdict.WRONG, why, "correct the policy's groups")
    if unknown:
        why = f"live and in no group, so never rolled back: {named(unknown)}"
        yield Finding("functions", name, Verdict.DOUBTFUL, why, "add them to a group")
    if not missing and not unknown:
        groups = f"{len(facts.policy.functions)} functions in {len(facts.policy.groups)} groups"
        yield Finding("functions", name, Verdict.WELL, f"{groups}, all live, no other")


def _services(facts: Facts, inventory: Inventory) -> Finding:
    other = [
        name
        for name, live in inventory.items()
        if live.service.name.rpartition("/")[2] != service_of(name)
    ]
    if other:
        why = f"alerts on these do not name their function: {named(other)}"
        return Finding("services", facts.policy.system, Verdict.DOUBTFUL, why)
    return Finding("services", facts.policy.system, Verdict.WELL, "named after their functions")


def _revisions(facts: Facts, inventory: Inventory) -> Finding:
    absent = [
        name
        for name, live in inventory.items()
        if live.service.latest_ready and live.revision(live.service.latest_ready) is None
    ]
    if absent:
        why = f"the list of revisions lacks the newest ready one of {named(absent)}"
        to_do = "do not trust restorability: see docs/unverified.md"
        return Finding("revisions", facts.policy.system, Verdict.WRONG, why, to_do)
    count = sum(len(live.revisions) for live in inventory.values())
    return Finding("revisions", facts.policy.system, Verdict.WELL, f"{count} are listed")


def _routers(facts: Facts, inventory: Inventory) -> Finding:
    other = [
        name
        for name, live in inventory.items()
        if not live.service.reconciling
        and shares(live.service.serving, live.service.latest_ready)
        != shares(live.service.traffic, live.service.latest_ready)
    ]
    if other:
        why = f"traffic goes elsewhere than asked: {named(other)}"
        to_do = "look again in a minute; if it stays, see docs/unverified.md"
        return Finding("routers", facts.policy.system, Verdict.DOUBTFUL, why, to_do)
    return Finding("routers", facts.policy.system, Verdict.WELL, "traffic goes where it should")


def _quota(facts: Facts) -> Finding:
    quota = facts.policy.execution.write_quota
    return Finding(
        "write-quota",
        f"{facts.policy.project} {facts.policy.region}",
        Verdict.UNKNOWN,
        f"declared: {quota.burst} at once, {quota.per_second * 60:g} a minute; nothing reads it",
        "compare with Write requests per minute of Cloud Run, in IAM & Admin, Quotas",
    )


def _metrics(facts: Facts) -> Finding:
    name = facts.policy.project
    if isinstance(facts.requests, RollbackError):
        return unseen("metrics", name, facts.requests)
    total = sum(one.total for one in facts.requests.values())
    if not total:
        why = f"no request was counted within {lasting(COUNTED_WITHIN)}: nothing is judged by it"
        return Finding("metrics", name, Verdict.DOUBTFUL, why, "is there traffic at all?")
    why = f"{total} requests were counted within {lasting(COUNTED_WITHIN)}"
    return Finding("metrics", name, Verdict.WELL, why)


def _probes(facts: Facts) -> Iterator[Finding]:
    for name, answer in facts.probes.items():
        if isinstance(answer, RollbackError):
            yield unseen("probes", name, answer)
        elif answer.passed:
            yield Finding("probes", name, Verdict.WELL, f"{answer.status}, {answer.seconds:.1f} s")
        else:
            why = answer.detail or f"answers {answer.status}"
            to_do = "an incident, or a wrong address in the policy"
            yield Finding("probes", name, Verdict.WRONG, why, to_do)


def _looks(facts: Facts) -> Iterator[Finding]:
    asked = [probe.name for probes in feeding(facts.policy).values() for probe in probes]
    if not asked:
        return
    name = facts.policy.system
    if isinstance(facts.looks, RollbackError):
        yield unseen("looks", name, facts.looks)
        return
    stale = [one for one in asked if not is_fresh(facts.looks.looks.get(one, ()), facts.now)]
    if stale:
        why = f"the clock has not seen the answer of {named(stale)} within a minute"
        to_do = "can on_clock reach these addresses? its log tells"
        yield Finding("looks", name, Verdict.DOUBTFUL, why, to_do)
    else:
        why = f"the clock sees {len(asked)} probes each half minute"
        yield Finding("looks", name, Verdict.WELL, why)


def _rest(facts: Facts) -> Iterator[Finding]:
    """What the policy protects beside the functions, part by part."""
    declared, rest = facts.policy.resources, facts.rest
    parts = {
        "hosting": (declared.hosting_sites, rest.sites),
        "remote-config": (declared.remote_config, rest.remote_config),
        "rules": (declared.releases, rest.rules),
        "identity": (declared.identity, rest.identity),
        "indexes": (declared.databases, rest.indexes),
        "secrets": (declared.secrets is not None, rest.secrets),
        "schedules": (declared.schedules is not None, rest.schedules),
        "accounts": (declared.accounts, rest.accounts),
    }
    for check, (wanted, found) in parts.items():
        if not wanted:
            continue
        if found is None:
            why = "could not be read, or not whole: its changes are not seen"
            to_do = "do you have the rights? else see docs/unverified.md"
            yield Finding(check, facts.policy.project, Verdict.UNKNOWN, why, to_do)
        else:
            yield Finding(check, facts.policy.project, Verdict.WELL, f"read: {len(found)}")
    missing = {*declared.hosting_sites} - {*(rest.sites or ())}
    if missing and rest.sites is not None:
        why = f"in the policy, and there is no such site: {named(missing)}"
        yield Finding("hosting", facts.policy.project, Verdict.WRONG, why, "correct the policy")
