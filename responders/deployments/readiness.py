"""What is due of a deployment that has settled: is it good, and is all there to go back to it?"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from msgspec.structs import replace

from responders.deployments.source_backup import back_up_recorded_sources, remove_unreferenced_sources
from responders.support.inventory_reader import read_inventory
from responders.support.parallel_calls import (
    METRICS_WINDOW,
    Call,
    Calls,
    answer_or_none,
    build_health_calls,
    call_all,
    read_health_answers,
    select_named,
)
from shared.core import text as shortened
from shared.core.errors import Moved
from shared.core.redaction import redact_secrets
from shared.core.store import Document, Write
from shared.domain.audit.chain import Event, create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.deployments.deployment import (
    Deployment,
    DeploymentStatus,
    Restorability,
    counts_from_services,
    placements,
    record_path,
    rollback_targets,
)
from shared.domain.deployments.images import images_of, repositories, retention_command
from shared.domain.deployments.inventory import inventory_record as stocks
from shared.domain.deployments.inventory.inventory_parts import WholeInventory, accounts_of
from shared.domain.deployments.restorability import CheckedResources, check_restorability
from shared.domain.deployments.rollout import RESTORABILITY_CHECK_INTERVAL
from shared.domain.deployments.stability import evaluate_stability, stability_period_start
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from shared.domain.signals.health import sum_requests
from shared.ports.groups import Ports
from shared.ports.resources import Hosting, Rules
from shared.state import work_queue
from shared.state.reader import StateReader

ACTOR = "on_deployment"
MAX_FAULTS_PER_NOTICE = 10
"""Of what stands in the way, so much is said to people; the deployment has all of it."""


def assess_settled_deployment(
    ports: Ports, policy: Policy, deployment: Deployment, live: WholeInventory, unkept: Mapping[str, str]
) -> Deployment:
    """The deployment with what probes and routers say of it now, and what going back would lack."""
    metrics = ports.system(policy.system).metrics
    now = deployment.settled_at or deployment.at
    health_calls = build_health_calls(ports, metrics, policy.probes, now - METRICS_WINDOW, now)
    answers = call_all(ports, {**_calls(ports, policy, live, live), **health_calls})
    look = read_health_answers(answers)
    health = {
        f"probe {probe.name}": _describe_probe_answer(look.probes.get(probe.name)) for probe in policy.probes
    }
    counted = None if look.requests is None else sum_requests(look.requests.values())
    health["requests"] = "no answer" if counted is None else f"{counted.total}, {counted.failed} failed"
    proof = _judge_restorability(deployment, live, live, answers, unkept, now)
    return replace(deployment, health=health, restorable=proof)


def _describe_probe_answer(answer: Any) -> str:
    """What a probe saw, in words; what it quotes of an answer may hold secrets."""
    if answer is None:
        return "no answer"
    return redact_secrets(f"{'passed' if answer.passed else 'failed'}: {answer.outcome}")


def reassess_deployment(ports: Ports, policy: Policy, document: Document) -> None:
    """Judge or prove a due deployment; a concurrent change wins. Raises: Unavailable."""
    deployment, now = document.decode(Deployment), document.read_at
    live = stocks.filter_protected(read_inventory(ports, policy), policy)
    known = StateReader(ports.store).every_deployment(policy.system)
    judged, in_the_record = deployment, list[Write]()
    if deployment.status is DeploymentStatus.LIVE:
        judged = _judge_stability(ports, policy, deployment, live, known, now)
    stable = (one.at for one in known if one.status is DeploymentStatus.STABLE and one.id != judged.id)
    is_target = judged.status is DeploymentStatus.STABLE and all(at <= judged.at for at in stable)
    if judged.status is not DeploymentStatus.LIVE or judged.due_at is None:
        proof, in_the_record = _assess_restorability(ports, policy, judged, live, now)
        others = (one for one in known if one.id != judged.id)
        kept = rollback_targets([judged, *others], policy.deployments.kept)
        again_at = now + RESTORABILITY_CHECK_INTERVAL if judged in kept else None
        judged = replace(judged, restorable=proof, due_at=again_at)
    severity = Severity.HIGH if is_target else Severity.LOW
    said = build_restorability_notices(policy, judged, deployment, now, severity)
    writes = [
        document.build_update(judged),
        *in_the_record,
        *(
            event_write(policy.system, f"deployment:{judged.id}:{told.name}:{told.at}", told)
            for told in _build_transition_events(deployment, judged, now)
        ),
    ]
    try:
        work_queue.commit_with_notices(ports, writes, said)
    except Moved:  # a look, a rollback or a person: if it is still due, the clock says so again
        return
    if is_target:
        remove_unreferenced_sources(ports, policy)


def _judge_stability(
    ports: Ports,
    policy: Policy,
    deployment: Deployment,
    live: WholeInventory,
    known: list[Deployment],
    now: datetime,
) -> Deployment:
    newer = [one.id for one in known if one.at > deployment.at and not one.named]
    if newer:
        return replace(deployment, due_at=None, reason=f"{newer[0]} replaced it before it was stable")
    if live.functions is not None and placements(live.functions) != deployment.functions:
        return replace(deployment, due_at=None, reason="something else is live since")
    if deployment.is_unserved:
        held = shortened.join_names(list(deployment.unserved))
        return replace(deployment, due_at=None, reason=f"no request reaches its revisions: {held}")
    system = StateReader(ports.store).system(policy.system)
    since = stability_period_start(deployment, system)
    metrics = ports.system(policy.system).metrics
    look = read_health_answers(call_all(ports, build_health_calls(ports, metrics, policy.probes, since, now)))
    services = {name: one.service for name, one in deployment.functions.items()}
    counted = None if look.requests is None else counts_from_services(look.requests, services)
    found = evaluate_stability(deployment, policy, system, counted, look.probes, now)
    return replace(
        deployment,
        status=found.status,
        reason=found.reason,
        baked_at=now if found.status is DeploymentStatus.STABLE else None,
        untested=found.untested,
        due_at=found.due_at,
    )


def _assess_restorability(
    ports: Ports, policy: Policy, deployment: Deployment, live: WholeInventory, now: datetime
) -> tuple[Restorability, list[Write]]:
    """A fresh proof, and the write of what was found on the way to be kept, or not any more."""
    kept = ports.store.get(record_path(deployment.system, deployment.id))
    recorded = stocks.unpack_inventory(kept.fields["live"]) if kept.fields else WholeInventory()
    record, unkept = back_up_recorded_sources(ports, policy, recorded)
    answers = call_all(ports, _calls(ports, policy, record, live))
    proof = _judge_restorability(deployment, record, live, answers, unkept, now)
    if record == recorded:
        return proof, []
    return proof, [kept.build_update({"live": stocks.pack_inventory(record)})]


def _judge_restorability(
    deployment: Deployment,
    record: WholeInventory,
    live: WholeInventory,
    answers: Mapping[str, Any],
    unkept: Mapping[str, str],
    now: datetime,
) -> Restorability:
    beside = CheckedResources(
        versions=select_named(answers, "version "),
        roles=answer_or_none(answers.get("roles")),
        accounts=select_named(answers, "account "),
        images=select_named(answers, "images "),
        cleanup=select_named(answers, "cleanup "),
        runtimes=answer_or_none(answers["runtimes"]),
        rulesets=select_named(answers, "ruleset "),
        unkept=dict(unkept),
    )
    return check_restorability(deployment, record, live, answer_or_none(answers["inventory"]), now, beside)


def _calls(ports: Ports, policy: Policy, record: WholeInventory, live: WholeInventory) -> Calls:
    """The calls that look at every revision, and at what a deployment had and nothing shows now."""
    estate = ports.system(policy.system).resources
    sites, rules = live.sites or {}, live.rules or {}
    accounts = accounts_of(record.function_states.values())
    places = repositories(images_of(record))
    calls: dict[str, Call] = {
        "inventory": ports.system(policy.system).platform.inventory,
        "runtimes": estate.runtimes.list_runtimes,
        **{f"account {one}": partial(estate.accounts.state, one) for one in accounts},
        **{f"images {one}": partial(estate.images.list_images, one) for one in places},
        **{f"cleanup {one}": partial(estate.images.cleanup, one) for one in places},
    }
    if live.accounts is not None and (record.accounts or {}).keys() - live.accounts.keys():
        calls["roles"] = estate.accounts.roles
    for site, one in (record.sites or {}).items():
        if one.version and (site not in sites or sites[site].version != one.version):
            key = f"version {site}/{one.version}"
            calls[key] = partial(_read_version_status, estate.hosting, site, one.version)
    for release, kept in (record.rules or {}).items():
        is_live = release in rules and rules[release].ruleset == kept.ruleset
        if not (is_live or kept.source):
            calls[f"ruleset {kept.ruleset}"] = partial(_ruleset_exists, estate.rules, kept.ruleset)
    return calls


def _read_version_status(hosting: Hosting, site: str, version: str) -> str:
    """The status of a version; empty: it is gone. None would say that nobody answered."""
    return hosting.version(site, version) or ""


def _ruleset_exists(rules: Rules, ruleset: str) -> bool:
    return rules.ruleset(ruleset) is not None


def build_restorability_notices(
    policy: Policy,
    deployment: Deployment,
    before: Deployment | None,
    now: datetime,
    severity: Severity = Severity.HIGH,
) -> list[Notice]:
    """Notify of other faults than were known, and before clean-up policies delete images."""
    key, moment = f"deployment-{deployment.id}-{policy.system}", f"{now:%Y%m%dT%H%M%S%f}"
    name, faults, proof = f"{policy.system}: {deployment.id}", _faults(deployment), deployment.restorable
    said = list[Notice]()
    if (warning := _image_warning(deployment)) and not _image_warning(before):
        command = retention_command(f"{policy.region}-docker.pkg.dev/{policy.project}/gcf-artifacts")
        level = severity if proof and proof.rebuild else Severity.LOW
        text = f"{name}: {warning}\n{command}"
        said += create_notices(policy, key, level, f"images-{moment}", text, now, to_paste=[command])
    if faults != _faults(before):
        word = "cannot be restored" if faults else "can be restored again"
        text = "\n".join((f"{name} {word}", *shortened.first_lines(faults, MAX_FAULTS_PER_NOTICE)))
        said += create_notices(policy, key, severity, f"restorable-{moment}", text, now, faults=faults)
    return said


def _faults(deployment: Deployment | None) -> tuple[str, ...]:
    return deployment.restorable.faults if deployment and deployment.restorable else ()


def _image_warning(deployment: Deployment | None) -> str:
    return deployment.restorable.image_warning if deployment and deployment.restorable else ""


def _build_transition_events(before: Deployment, after: Deployment, now: datetime) -> list[Event]:
    """What becomes of it, where that is more than the time of the next look."""
    told = []
    if (before.status, before.untested, before.reason) != (after.status, after.untested, after.reason):
        facts = {"reason": after.reason, "untested": after.untested}
        name = f"deployment.{after.status.lower()}"
        told.append(create_event(name, now, ACTOR, deployment=after.id, before=before.status, **facts))
    if (warning := _image_warning(after)) and not _image_warning(before):
        told.append(create_event("deployment.images-expire", now, ACTOR, deployment=after.id, why=warning))
    if _faults(before) != _faults(after):
        name = "deployment.unrestorable" if _faults(after) else "deployment.restorable"
        told.append(create_event(name, now, ACTOR, deployment=after.id, faults=_faults(after)))
    return told
