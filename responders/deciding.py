"""Decide one incident under the lease: gather the facts, ask the gates, freeze the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from responders.case import Case, Turn
from responders.ending import ended
from responders.gathering import Gathered, gather
from responders.scenarios import functions
from responders.waiting import described, parked
from shared import plan as plans
from shared import topics
from shared.command import as_gcloud, as_shell
from shared.documents import encode
from shared.facts import Change, Difference, Facts, changed, compare, differences
from shared.gate import Outcome
from shared.gates import Decision, approved, evaluate, evaluate_order
from shared.incident import Status
from shared.plan import Plan
from shared.policy import Policy, ScenarioName
from shared.ports import Create, Write, written
from shared.rollback import Order, Question, in_favour
from shared.rollback import Status as RollbackStatus
from shared.system import Budget, System

BUILT = frozenset({ScenarioName.FUNCTIONS})
"""Scenarios that can be carried out; the others escalate with their plan named."""


def decide(case: Case) -> bool:
    """Whether the worker goes on with this rollback now; otherwise it was let go."""
    gathered = gather(*(case.ports, case.policy, case.now(), case.joined_alerts, case.rollback.id))
    if case.raised(gathered.alerts):
        return True
    decision = _decision(case, gathered.facts)
    plan = planned(case.policy, gathered.facts, decision)
    shown = differences(decision.change, gathered.facts.inventory or {}) if plan else []
    needed = people_needed(case.policy, decision)
    if plan is not None and decision.outcome is Outcome.ASK:
        people = in_favour(case.rollback, plan.header.fingerprint, needed)
        enough = len(people) >= needed
        decision = approved(decision, people.values()) if enough else decision
    told = {
        "outcome": decision.outcome,
        "scenario": decision.scenario,
        "target": decision.target,
        "gates": [encode(answer) for answer in decision.answers],
    }
    match decision.outcome:
        case Outcome.HOLD:
            return not case.take(_held(case, decision, told))
        case Outcome.ROLLBACK if plan is not None:
            case.take(_going_back(case, gathered, decision, plan, told))
            return True
        case Outcome.ASK if plan is not None:
            question = Question(plan.header, needed, decision.reason, case.now())
            turn = parked(case, question, shown, told)
        case _:
            turn = _let_go(case, decision, plan, shown, told)
    return not case.end(turn, answered={alert.key for alert in gathered.alerts})


def planned(policy: Policy, facts: Facts, decision: Decision) -> Plan | None:
    """The plan of a decision that leads to one, or that leaves it to a person; else None."""
    leads_to_one = decision.outcome in (Outcome.ROLLBACK, Outcome.ASK)
    prepared = decision.outcome is Outcome.ESCALATE and decision.scope
    if not (leads_to_one or prepared) or decision.scenario not in BUILT or facts.inventory is None:
        return None
    return functions.plan(policy, facts.inventory, decision.change, decision.scope)


def people_needed(policy: Policy, decision: Decision) -> int:
    """How many different people must want it."""
    return 2 if decision.scenario in policy.gates.four_eyes else 1


def _decision(case: Case, facts: Facts) -> Decision:
    rollback, policy, now = case.rollback, case.policy, case.now()
    deadline = rollback.decide_by or now
    if rollback.order is None:
        return evaluate(facts, policy, deadline, now, rollback.id)
    change = ordered_change(rollback.order, facts, policy)
    override = rollback.order.override
    return evaluate_order(facts, policy, change, deadline, now, rollback.id, override=override)


def ordered_change(order: Order, facts: Facts, policy: Policy) -> Change:
    """What differs from the deployment that a person named, over what they named of it."""
    everything = changed(facts, policy)
    if order.target != "last-stable":
        named = next((one for one in facts.deployments if one.id == order.target), None)
        everything = (
            compare(named, facts.inventory, facts.deployments, policy)
            if named is not None and facts.inventory is not None
            else Change(named, {})
        )
    wanted = named_by(order, policy)
    return replace(
        everything,
        functions={name: at for name, at in everything.functions.items() if name in wanted},
        created=tuple(name for name in everything.created if name in wanted),
        deleted=tuple(name for name in everything.deleted if name in wanted),
    )


def named_by(order: Order, policy: Policy) -> set[str]:
    """The functions that an order is about: all, where it names none and no group."""
    return {
        function
        for function, group in policy.functions.items()
        if not (order.groups or order.functions)
        or group in order.groups
        or function in order.functions
    }


def _going_back(
    case: Case,
    gathered: Gathered,
    decision: Decision,
    plan: Plan,
    told: Mapping[str, Any],
) -> Turn:
    """Freeze the plan and take the system's slot, in one commit, before any effect."""
    now, rollback = case.now(), case.rollback
    automatic = rollback.order is None

    def slot_taken(system: System) -> System | None:
        if system.slot not in ("", rollback.id):
            return None
        cooling = now + case.policy.gates.cool_down if automatic else system.cool_down_until
        return replace(system, slot=rollback.id, cool_down_until=cooling)

    return Turn(
        event="rollback.decided",
        note=f"going back to {decision.target}: {len(decision.scope)} functions",
        facts={**told, "plan": plan.header.fingerprint, "reported": plan.header.reported},
        changes={
            "status": RollbackStatus.RUNNING,
            "plan": plan.header,
            "gates": tuple(told["gates"]),
        },
        status=Status.ROLLING_BACK,
        writes=(
            *case.absorbing(gathered.alerts),
            *_frozen(case, plan),
            *(_spent(gathered, case) if automatic else ()),
        ),
        system=slot_taken,
    )


def _frozen(case: Case, plan: Plan) -> Iterable[Write]:
    """The plan's steps, each a document that must not be there yet."""
    for step in plan.steps:
        kept = replace(step, expires_at=case.rollback.expires_at)
        yield Create(plans.path(case.rollback.id, step.name), encode(kept))


def _spent(gathered: Gathered, case: Case) -> tuple[Write, ...]:
    """One automatic rollback more in the global budget, unless somebody spent it since."""
    now = case.now()
    hour_ago = now - timedelta(hours=1)
    starts = (*(start for start in gathered.facts.budget.starts if start > hour_ago), now)
    fields = encode(Budget(starts))
    return (written(gathered.budget, fields),)


def _held(case: Case, decision: Decision, told: Mapping[str, Any]) -> Turn:
    """Look again later: what is not known yet may be known then."""
    first = case.incident.status is Status.DETECTED
    return Turn(
        event="decision.held",
        note=decision.reason,
        facts=told,
        changes={
            "due_at": case.look_after(case.policy.gates.judge_every),
            "gates": tuple(told["gates"]),
            "lease": None,
        },
        status=Status.INVESTIGATING if first else None,
        say=False,
    )


def _let_go(
    case: Case,
    decision: Decision,
    plan: Plan | None,
    shown: Sequence[Difference],
    told: Mapping[str, Any],
) -> Turn:
    """The turn that acts on nothing: over, or escalated with what was prepared."""
    if decision.outcome in (Outcome.OBSERVE, Outcome.IGNORE):
        return Turn(
            event="rollback.not-taken",
            note=f"no action: {decision.reason}",
            facts=told,
            changes={
                **ended(case, RollbackStatus.NOT_TAKEN, decision.reason),
                "gates": tuple(told["gates"]),
            },
            status=Status.RESOLVED,
        )
    reason = decision.reason
    if decision.outcome in (Outcome.ROLLBACK, Outcome.ASK):
        reason = f"the scenario {decision.scenario} is not built yet"
    command = _prepared_command(case, decision)
    ways = (as_shell(command), as_gcloud(topics.COMMANDS, command))
    prepared: dict[str, Any] = {"prepared_command": ways[1], "prepared_shell": ways[0]}
    lines: tuple[str, ...] = ()
    if plan is not None:
        prepared |= {"plan": plan.header.fingerprint, "difference": shown}
        back = f"prepared: back to {plan.header.target}, {len(shown)} functions"
        lines = (back, *described(shown), *plan.header.reported)
    return Turn(
        event="rollback.escalated",
        note=f"a person is needed: {reason}",
        details=(*lines, *ways),
        facts={**told, **prepared},
        changes={
            **ended(case, RollbackStatus.NOT_TAKEN, reason),
            "gates": tuple(told["gates"]),
        },
        status=Status.ESCALATED,
    )


def _prepared_command(case: Case, decision: Decision) -> dict[str, Any]:
    """The one command by which a person does what was prepared, and no more than was ordered."""
    order = case.rollback.order or Order(command="", actor="", reason="")
    limits = {
        "groups": order.groups,
        "functions": decision.scope if decision.change.left else order.functions,
        "batch_size": order.batch_size,
        "delay_seconds": order.delay_seconds,
    }
    return {
        "command": "rollback",
        "system": case.policy.system,
        "target": decision.target or order.target,
        **{name: limit for name, limit in limits.items() if limit},
        "reason": case.incident.id,
    }
