"""How one protected system stands to be rolled back: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from cli.doctor import apis, backups, counts, measuring, probed, rights, spoken
from cli.doctor.finding import Finding, Verdict, named, unseen
from cli.doctor.page import status_page
from cli.doctor.proof import newest_stable, proofs
from cli.doctor.stand import stand
from cli.screen import lasting
from shared import damage
from shared.assets import Posture
from shared.backing import Backup
from shared.buckets import Seen
from shared.deployment import Deployment, Inventory
from shared.errors import RollbackError
from shared.expiry import Expiry
from shared.facts import Change, unrestorable
from shared.health import ProbeAnswer, Requests
from shared.inventory import WholeInventory
from shared.native import Watched
from shared.policy import Mode, Policy, service_of
from shared.probing import Record
from shared.proving import Proof
from shared.stand import OnStand
from shared.system import Controls, System, frozen
from shared.traffic import shares
from shared.triggers import Trigger

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
    accounts: Mapping[str, str]
    """What each responder runs as, by entry point."""
    granted: rights.Granted
    read_back: rights.ReadBack
    writes: int | RollbackError | None
    """What Cloud Run admits a minute; None: no such limit is listed."""
    rest: WholeInventory
    """What there is beside the functions; None for each part that could not be read."""
    exports: Sequence[Backup] | RollbackError
    """Newest first."""
    proofs: Sequence[Proof] | RollbackError
    """Newest first."""
    native: Watched | RollbackError | None
    """What the clock saw of Google's own backups; None: it has not looked."""
    assets: Posture | RollbackError | None
    """What the clock saw of the assets; None: it has not looked."""
    page: Seen | RollbackError | None
    """What everybody sees of the status page; None: this shell names no bucket of pages."""
    push: apis.Answers
    """Whether the API is on by which its users are reached; none: no channel reaches them."""
    measured: measuring.Measured | RollbackError
    """What its alert policies and its dashboard ask for."""
    sign_ins: Requests | RollbackError
    """Within the last day; none where nothing is decided by them."""
    integrity: damage.Record | RollbackError | None
    """What the clock saw of its documents; None: it has not looked."""
    expiries: Sequence[Expiry] | RollbackError
    """By what they expire, as the database says."""
    triggers: Sequence[Trigger] | RollbackError
    """Those of Eventarc."""
    spoken: Mapping[str, spoken.Spoken | RollbackError]
    """By channel."""
    stand: OnStand | RollbackError | None = None
    """What stands where starts are made; None: the policy names no stand."""
    stand_callers: Sequence[str] | RollbackError = ()
    """Who may call it, `MEMBER ROLE` each."""


def examined(facts: Facts) -> Iterator[Finding]:
    """Every finding, in the order of `CHECKS`."""
    asked = facts.measured
    yield from measuring.policies(
        facts.policy, asked if isinstance(asked, RollbackError) else asked.asked
    )
    yield measuring.names(facts.policy.system, asked)
    yield from measuring.queries(facts.policy.system, asked)
    yield from _mode(facts)
    yield _stable(facts)
    yield from proofs(facts.policy.system, facts.deployments)
    yield from stand(facts.policy, facts.stand, facts.stand_callers, facts.deployments)
    yield from _functions(facts)
    yield _sources(facts)
    if not isinstance(facts.inventory, RollbackError):
        yield _services(facts, facts.inventory)
        yield _revisions(facts, facts.inventory)
        yield _routers(facts, facts.inventory)
    yield _quota(facts)
    yield _metrics(facts)
    yield from counts.sign_ins(facts.policy, facts.sign_ins)
    yield counts.invokers(facts.policy, facts.rest)
    yield from probed.probes(facts.probes)
    yield rights.alert_ids(facts.policy, facts.read_back)
    yield from probed.looks(facts.policy, facts.looks, facts.now)
    yield from rights.own_roles(facts.policy, facts.accounts, facts.granted)
    yield from rights.request_log(facts.policy, facts.rest)
    yield from _rest(facts)
    yield from counts.secretive(facts.policy, facts.rest)
    yield from backups.exports(facts.policy, facts.exports, facts.now)
    yield from backups.proven(facts.policy, facts.proofs, facts.now)
    yield from backups.native(facts.policy, facts.native, facts.now)
    yield from backups.data(facts.policy, facts.integrity, facts.now)
    yield from backups.expiry(facts.policy, facts.expiries)
    yield from backups.triggers(facts.policy, facts.triggers, facts.rest.functions or {})
    yield from backups.assets(facts.policy, facts.assets, facts.now)
    yield from spoken.channels(facts.policy, facts.spoken, facts.now)
    yield status_page(facts.policy.system, facts.page)
    yield from apis.are_on(apis.PUSH, facts.push)


def _mode(facts: Facts) -> Iterator[Finding]:
    name = facts.policy.system
    for kept in (facts.system, facts.controls):
        if isinstance(kept, RollbackError):
            yield unseen("mode", name, kept)
            return
        its = f"{'--all' if isinstance(kept, Controls) else f'--system {name}'} --reason WHY"
        if kept.pause is not None:
            to_do = f"rollback resume {its}"
            yield Finding("mode", name, Verdict.DOUBTFUL, str(kept.pause), to_do)
        if (window := frozen(kept.freezes, facts.now)) is not None:
            yield Finding("mode", name, Verdict.DOUBTFUL, str(window), f"rollback unfreeze {its}")
    if isinstance(facts.system, System):
        mode = facts.system.mode
        off = "; automation is off until somebody promotes it" if mode is Mode.OBSERVE else ""
        yield Finding("mode", name, Verdict.WELL, f"{mode.name.lower()}{off}")


def _stable(facts: Facts) -> Finding:
    name = facts.policy.system
    if isinstance(facts.deployments, RollbackError):
        return unseen("stable", name, facts.deployments)
    stable = newest_stable(facts.deployments)
    if stable is None:
        why = "no deployment is STABLE: there is nothing to go back to"
        to_do = f"rollback deployments baseline --system {name}"
        return Finding("stable", name, Verdict.WRONG, why, to_do)
    if isinstance(facts.inventory, RollbackError):
        return unseen("stable", stable.id, facts.inventory)
    both = {*stable.functions} & {*facts.inventory} & {*facts.policy.functions}
    gone = [*unrestorable(Change(stable, dict.fromkeys(both, stable.at)), facts.inventory)]
    if gone:
        why = f"revisions of {named(gone)} are gone, not ready or did not start"
        to_do = "mark what is live now as stable, if it is: rollback deployments baseline"
        return Finding("stable", stable.id, Verdict.WRONG, why, to_do)
    why = f"the newest STABLE one; {len(both)} functions have a revision of it, ready"
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


def _sources(facts: Facts) -> Finding:
    name, functions = facts.policy.project, facts.rest.functions
    if functions is None:
        why = "the functions could not be read whole: what they are built from is not known"
        return Finding("sources", name, Verdict.UNKNOWN, why, "do you have the rights?")
    bare = [one.name for one in functions.values() if not (one.source and one.source.generation)]
    if bare:
        why = f"no source with its generation is shown of {named(bare)}: they cannot be built again"
        return Finding("sources", name, Verdict.DOUBTFUL, why, "see docs/unverified.md")
    why = f"shown of {len(functions)} functions, each with its generation"
    return Finding("sources", name, Verdict.WELL, why)


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
    what = f"{facts.policy.project} {facts.policy.region}"
    admitted, declared = facts.writes, round(facts.policy.execution.write_quota.per_second * 60)
    if isinstance(admitted, RollbackError):
        return unseen("write-quota", what, admitted)
    if admitted is None:
        why = f"declared: {declared} writes a minute; no such limit is listed"
        to_do = "compare with Write requests per minute of Cloud Run, in IAM & Admin, Quotas"
        return Finding("write-quota", what, Verdict.UNKNOWN, why, to_do)
    if admitted == declared:
        return Finding("write-quota", what, Verdict.WELL, f"{admitted} writes a minute")
    takes = "takes longer than it says" if admitted < declared else "could be faster"
    why = f"{admitted} writes a minute, declared are {declared}: a rollback {takes}"
    to_do = "correct execution.write_quota in the policy"
    return Finding("write-quota", what, Verdict.DOUBTFUL, why, to_do)


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
