"""What is due of a deployment that has settled: is it good, and can it be gone back to?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from responders.asking import ask_all, looking, or_none, seen
from responders.gathering import METRICS_WINDOW
from responders.taking_stock import take_stock
from shared import deployment as deployments
from shared import handover
from shared import stock as stocks
from shared import system as systems
from shared.audit import Event, event
from shared.baking import Baked, baked, bakes_since
from shared.deployment import Deployment, Status, by_service, placements
from shared.documents import decode, encode
from shared.errors import Moved
from shared.health import Requests
from shared.inventory import WholeInventory
from shared.notice import Notice, creates, notices
from shared.outside import write_down
from shared.policy import Policy, Severity
from shared.ports import Document, Ports, Query, Update, Write
from shared.redaction import without_secrets
from shared.restorability import restorability
from shared.rollout import PROVE_EVERY
from shared.stock import protected
from shared.system import System

ACTOR: Final = "on_deployment"
FAULTS_TOLD = 10
"""Of what stands in the way, so much is said to people; the deployment has all of it."""


def recorded(
    ports: Ports, policy: Policy, deployment: Deployment, live: WholeInventory
) -> Deployment:
    """The deployment with what probes and routers say of it now, and whether it can be restored."""
    metrics = ports.metrics(policy.system)
    now = deployment.settled_at or deployment.at
    answers = ask_all(
        ports,
        {
            "inventory": ports.platform(policy.system).inventory,
            **looking(ports, metrics, policy.probes, now - METRICS_WINDOW, now),
        },
    )
    look = seen(answers)
    health = {
        f"probe {probe.name}": _said_by(look.probes.get(probe.name)) for probe in policy.probes
    }
    counted = look.requests
    total = None if counted is None else sum(one.total for one in counted.values())
    failed = None if counted is None else sum(one.failed for one in counted.values())
    health["requests"] = "no answer" if total is None else f"{total}, {failed} failed"
    proof = restorability(deployment, live, live, or_none(answers["inventory"]), now)
    return replace(deployment, health=health, restorable=proof)


def _said_by(answer: Any) -> str:
    """What a probe saw, in words; what it quotes of an answer may hold secrets."""
    if answer is None:
        return "no answer"
    word = "passed" if answer.passed else "failed"
    return without_secrets(f"{word}: {answer.status or answer.detail or 'no answer'}")


def carry_forward(ports: Ports, policy: Policy, document: Document) -> None:
    """Judge a deployment that is due, or prove it; whoever changes it meanwhile has the last word.

    Raises: Unavailable.
    """
    deployment, now = decode(Deployment, document.fields), document.read_at
    live = protected(take_stock(ports, policy), policy)
    known = [
        decode(Deployment, one.fields)
        for one in ports.store.query(Query("deployments", where=(("system", "==", policy.system),)))
    ]
    judged = deployment
    if deployment.status is Status.LIVE:
        judged = _judged(ports, policy, deployment, live, known, now)
    if judged.status is Status.STABLE:
        next_at = now + PROVE_EVERY if _is_target(judged, known) else None
        judged = replace(_proven(ports, policy, judged, live, now), due_at=next_at)
    said = alarm(policy, judged, deployment, now)
    writes: list[Write] = [
        Update(document.path, encode(judged), document.version),
        *(
            write_down(policy.system, f"deployment:{judged.id}:{told.name}:{told.at}", told)
            for told in _told(deployment, judged, now)
        ),
        *creates(said),
    ]
    try:
        ports.store.commit(writes)
    except Moved:  # a look, a rollback or a person: if it is still due, the clock says so again
        return
    handover.publish_notices(ports.bus, said)


def _judged(
    ports: Ports,
    policy: Policy,
    deployment: Deployment,
    live: WholeInventory,
    known: list[Deployment],
    now: datetime,
) -> Deployment:
    """The deployment, known to be good by now, or not yet."""
    newer = [one.id for one in known if one.at > deployment.at and not one.named]
    if newer:
        return replace(deployment, due_at=None, reason=f"{newer[0]} came before it had proved good")
    if live.functions is not None and placements(live.functions) != deployment.functions:
        return replace(deployment, due_at=None, reason="something else is live since")
    fields = ports.store.get(systems.path(policy.system)).fields
    system = decode(System, fields) if fields else System(policy.system)
    since = bakes_since(deployment, system)
    metrics = ports.metrics(policy.system)
    look = seen(ask_all(ports, looking(ports, metrics, policy.probes, since, now)))
    counted = _per_function(look.requests, deployment)
    found: Baked = baked(deployment, policy, system, counted, look.probes, now)
    return replace(
        deployment,
        status=found.status,
        reason=found.reason,
        untested=found.untested,
        due_at=found.due_at,
    )


def _per_function(
    counted: Mapping[str, Requests] | None, deployment: Deployment
) -> dict[str, Requests] | None:
    """What was counted, per function of the deployment."""
    if counted is None:
        return None
    return by_service(counted, {name: one.service for name, one in deployment.functions.items()})


def _is_target(deployment: Deployment, known: list[Deployment]) -> bool:
    """Whether one would go back to it: the newest that is stable."""
    stable = [one.at for one in known if one.status is Status.STABLE and one.id != deployment.id]
    return deployment.status is Status.STABLE and deployment.at >= max(
        stable, default=deployment.at
    )


def _proven(
    ports: Ports, policy: Policy, deployment: Deployment, live: WholeInventory, now: datetime
) -> Deployment:
    """The deployment with a fresh proof."""
    path = deployments.record_path(deployment.system, deployment.id)
    fields = ports.store.get(path).fields
    record = stocks.unpacked(fields["live"]) if fields else WholeInventory()
    calls = {"inventory": partial(ports.platform(policy.system).inventory)}
    inventory = or_none(ask_all(ports, calls)["inventory"])
    proof = restorability(deployment, record, live, inventory, now)
    return replace(deployment, restorable=proof)


def alarm(
    policy: Policy, deployment: Deployment, before: Deployment | None, now: datetime
) -> list[Notice]:
    """What people are told when other things stand in the way of going back than were known."""
    faults = deployment.restorable.faults if deployment.restorable else ()
    if faults == _faults(before):
        return []
    more = len(faults) - FAULTS_TOLD
    shown = [*faults[:FAULTS_TOLD], *([f"and {more} more"] if more > 0 else [])]
    word = "cannot be gone back to" if faults else "can be gone back to again"
    text = "\n".join((f"{policy.system}: {deployment.id} {word}", *shown))
    key = f"deployment-{deployment.id}-{policy.system}"
    occasion = f"restorable-{now:%Y%m%dT%H%M%S%f}"
    return notices(policy, key, Severity.HIGH, occasion, text, now, faults=faults)


def _faults(deployment: Deployment | None) -> tuple[str, ...]:
    """What is known to stand in the way; nothing, as long as nobody has looked."""
    return deployment.restorable.faults if deployment and deployment.restorable else ()


def _told(before: Deployment, after: Deployment, now: datetime) -> list[Event]:
    """What becomes of it, where that is more than the time of the next look."""
    told = []
    if (before.status, before.untested, before.reason) != (
        after.status,
        after.untested,
        after.reason,
    ):
        facts: dict[str, Any] = {"reason": after.reason, "untested": after.untested}
        name = f"deployment.{after.status.lower()}"
        told.append(event(name, now, ACTOR, deployment=after.id, before=before.status, **facts))
    if _faults(before) != _faults(after):
        name = "deployment.unrestorable" if _faults(after) else "deployment.restorable"
        told.append(event(name, now, ACTOR, deployment=after.id, faults=_faults(after)))
    return told
