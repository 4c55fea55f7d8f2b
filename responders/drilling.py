"""drill: a plan over everything asked for is made and dry-run, timed and recorded, not done."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from responders.asking import ask_all
from responders.deciding import named_by, ordered_change, planned
from responders.gathering import gather
from responders.ordering import order_of
from responders.verbs import Asked, Effect
from shared import drill as drills
from shared import forecast, handover
from shared import system as systems
from shared.audit import event
from shared.command import CommandRecord
from shared.documents import decode, encode
from shared.drill import Drill
from shared.errors import Moved, Refused, RollbackError
from shared.facts import Change, Facts
from shared.gate import Outcome
from shared.gates import Decision, evaluate_order
from shared.notice import creates, notices
from shared.outside import write_down
from shared.plan import Plan, Step
from shared.platform import Platform
from shared.policy import Policy
from shared.ports import Clock, Create, Document, Ports, Put, Update
from shared.quota import PaceLeft, resumed
from shared.quota import path as quota_path
from shared.rollback import KEPT_FOR, Order
from shared.severity import Severity
from shared.steps import shift
from shared.system import System


def drill(asked: Asked) -> Effect:
    """A worker rehearses it. Raises: Refused, during an incident: the quota is needed then."""
    document = asked.ports.store.get(systems.path(asked.policy.system))
    system = decode(System, document.fields) if document.fields else System(asked.policy.system)
    if system.incident and system.incident_ended_at is None:
        raise Refused(f"nothing is rehearsed during {system.incident}")
    return Effect("to be drilled", rehearses=order_of(asked.command, asked.policy), drills=True)


def carry_out(
    ports: Ports, policy: Policy, document: Document, record: CommandRecord, order: Order
) -> None:
    """Rehearse, record and tell; recorded once, whoever else does so too. Raises: Unavailable."""
    now = document.read_at
    done, pace = _drilled(ports, policy, record, order, now)
    result = f"drill {'agrees' if done.agrees else 'does NOT agree'}: {done.outcome}, {done.reason}"
    known = replace(record, result=result, due_at=None, expires_at=now + KEPT_FOR)
    lines = (f"Drill by {record.actor} in {record.system}: {result}", *_lines(done))
    key = f"drill-{record.id}"
    said = notices(policy, key, Severity.LOW, "drilled", "\n".join(lines), now, drill=done.id)
    facts = {key: value for key, value in encode(done).items() if key not in ("actor", "at")}
    told = event("drill.recorded", now, "worker", command=record.id, **facts)
    try:
        ports.store.commit(
            [
                Update(document.path, encode(known), document.version),
                Create(drills.path(done.id), encode(done)),
                Put(quota_path(policy.system), encode(pace)),
                write_down(record.system, f"drilled:{record.id}", told),
                *creates(said),
            ]
        )
    except Moved:  # somebody else has recorded it
        return
    handover.publish_notices(ports.bus, said)


def _drilled(
    ports: Ports, policy: Policy, record: CommandRecord, order: Order, now: datetime
) -> tuple[Drill, PaceLeft]:
    """What the rehearsal finds, and what it leaves of the write quota."""
    began = ports.clock.monotonic()
    facts = gather(ports, policy, now, list, "").facts
    decision = evaluate_order(facts, policy, _everything(order, facts, policy), now, now, "")
    decision, plan = planned(ports, policy, facts, decision, order)
    bucket = resumed(facts.pace, policy.execution.write_quota.ours, now, began).bucket
    shifts = _canaries_first(plan)
    spare = max(0, int(bucket.level(began) - policy.execution.write_quota.ours.burst / 2))
    chosen = [step for step in shifts[:spare] if bucket.take(1, began)]
    platform = ports.platform(policy.system)
    answers = ask_all(
        ports, {one.target: partial(_dry_run, platform, ports.clock, one) for one in chosen}
    )
    refused = {name: str(one) for name, one in answers.items() if isinstance(one, RollbackError)}
    found = Drill(
        id=record.id,
        system=policy.system,
        scenario=decision.scenario,
        actor=record.actor,
        at=now,
        target=decision.target,
        plan=plan.header.fingerprint if plan is not None else "",
        outcome=decision.outcome,
        reason=decision.reason,
        agrees=_agrees(decision, answers, refused),
        rehearsed={name: one for name, one in answers.items() if name not in refused},
        refused=refused,
        not_rehearsed=tuple(one.target for one in shifts if one not in chosen),
        gates=[encode(answer) for answer in decision.answers],
        took_seconds=ports.clock.monotonic() - began,
        forecast_seconds=forecast.outlook(
            plan.steps if plan else (), policy, left=facts.pace, now=now
        ).seconds,
    )
    return found, PaceLeft(bucket.level(ports.clock.monotonic()), now)


def _everything(order: Order, facts: Facts, policy: Policy) -> Change:
    """All that the order names, as if each of it had been changed since the target.

    What is at the target already is rehearsed as a shift to where it is.
    """
    known = ordered_change(order, facts, policy)
    if known.target is None:
        return known
    there = named_by(order, policy) & set(facts.inventory or {}) & set(known.target.functions)
    return replace(known, functions=dict.fromkeys(sorted(there), known.target.at))


def _canaries_first(plan: Plan | None) -> list[Step]:
    shifts = [step for step in (plan.steps if plan else ()) if step.kind == shift.KIND]
    return sorted(shifts, key=lambda step: -step.writes)


def _dry_run(platform: Platform, clock: Clock, step: Step) -> float:
    """Seconds that the platform took to validate the shift. Raises: as Platform.shift."""
    goal, began = decode(shift.Goal, step.goal), clock.monotonic()
    platform.shift(goal.service, goal.traffic, step.seen, scaling=goal.scaling, dry_run=True)
    return clock.monotonic() - began


def _agrees(decision: Decision, answers: Iterable[str], refused: Iterable[str]) -> bool:
    """Whether it would have gone ahead, with a person's approval where one is asked for."""
    goes_ahead = decision.outcome in (Outcome.ROLLBACK, Outcome.ASK)
    return goes_ahead and bool(list(answers)) and not list(refused)


def _lines(done: Drill) -> Iterable[str]:
    yield (
        f"{len(done.rehearsed)} shifts to {done.target or 'nowhere'} dry-run in "
        f"{done.took_seconds:.0f} s; in earnest about {done.forecast_seconds:.0f} s"
    )
    for name, why in sorted(done.refused.items())[:10]:
        yield f"{name}: {why}"
    if done.not_rehearsed:
        yield f"not rehearsed for want of write quota: {len(done.not_rehearsed)} functions"
